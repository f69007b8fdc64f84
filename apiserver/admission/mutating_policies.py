"""MutatingAdmissionPolicies on the write path: each changes what those before it made, in upstream's two rounds.

A second round is held when something changed in the first. A policy that asks for it (reinvocationPolicy: IfNeeded)
is evaluated again when something changed after it; and since upstream looks at the whole round, too, its own change
counts as one. Who is due is kept in `Memory`, one for each request.
Source: apiserver/pkg/admission/plugin/policy: mutating/{dispatcher,reinvocationcontext}.go,
generic/policy_dispatcher.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from apimachinery.apply.ownership import group_version_kind
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.admission import expressions
from apiserver.admission.expressions import Authorize
from apiserver.admission.mutating_programs import APPLY_CONFIGURATION, Evaluation, Mutation, Mutations, Unusable
from apiserver.admission.policy_source import Invocation, Misconfigured, Source
from apiserver.admission.subject import Subject
from apiserver.metrics import admission as metrics

#: Policy, binding and parameter (namespace/name).
_Key = tuple[str, str, str]


@dataclass(slots=True)
class Memory:
    """Of one request: which invocations want to see later changes, and which have to be made again."""

    invoked: set[_Key] = field(default_factory=set)
    due: set[_Key] = field(default_factory=set)
    last: Json | None = None  #: what the policies made of the object in the round before

    def changed(self) -> None:
        """Something changed: whoever was invoked and wants to know is due."""
        self.due |= self.invoked
        self.invoked = set()


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a policy denies, in upstream's words."""

    text: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutatingPolicies:
    """The mutating policies of this server."""

    source: Source[Mutations]
    authorize: Authorize | None
    clock: Callable[[], float]

    def any(self) -> bool:
        """Whether there is a policy that is bound."""
        return bool(self.source.policies())

    async def round(
        self, subject: Subject, new: Json, old: Json | None, memory: Memory, *, again: bool
    ) -> tuple[Json, bool]:
        """The object as the policies want it, and whether there has to be another round. Raises ApiError."""
        rows = await self.source.concerned(subject, new, old)
        problems = [
            _problem(row.policy.name, row.binding.name if row.binding else "", str(row)) for row in _wrong(rows)
        ]
        invocations = [row for row in rows if isinstance(row, Invocation)]
        before = new
        if invocations:
            if again and memory.last != new:
                memory.changed()
            for row in invocations:
                new = await self._invoked(row, subject, new, old, memory, problems, again=again)
            if new is not before:
                memory.changed()
            memory.last = new
        if problems:
            raise _refusal(subject, new, problems)
        return new, new is not before

    async def _invoked(
        self,
        row: Invocation[Mutations],
        subject: Subject,
        new: Json,
        old: Json | None,
        memory: Memory,
        problems: list[_Problem],
        *,
        again: bool,
    ) -> Json:
        policy, programs = row.policy, row.policy.programs
        shown = await subject.show(new, row.form)
        values = await self._values(row, subject, shown, old)
        verdict = expressions.judge(programs.conditions, values, ignore=policy.ignores_failures, params=programs.params)
        if verdict.error and not policy.ignores_failures:
            problems.append(_problem(policy.name, row.binding.name, verdict.error, "Invalid"))
        key = _key(row)
        if verdict.error or not verdict.matches or (again and key not in memory.due):
            return new
        before = shown
        for mutation in programs.mutations:
            try:
                new = await self._made(mutation, row, subject, shown, values)
            except Unusable as error:
                if not policy.ignores_failures:
                    problems.append(_problem(policy.name, row.binding.name, str(error), "Invalid"))
                continue
            shown = await subject.show(new, row.form)
            values = {**values, "object": shown}
        if shown != before:
            memory.changed()
        if programs.reinvoked:
            memory.invoked.add(key)
        return new

    async def _made(
        self,
        mutation: Mutation,
        row: Invocation[Mutations],
        subject: Subject,
        shown: Json,
        values: dict[str, object],
    ) -> Json:
        """The object after one mutation, in the version stored. Raises Unusable, and ApiError where nothing helps."""
        began, outcome = self.clock(), "invalid_error"
        try:
            seen = Evaluation(values, row.policy.programs.variables)
            changed = mutation.made(shown, seen, subject.type_of(row.form), row.form.definition)
            made = await _taken(mutation, subject, changed, row)
            outcome = "no_error"
        except Unusable as error:
            outcome = error.kind
            raise
        finally:
            metrics.mutated(row.policy.name, row.binding.name, outcome, self.clock() - began)
        return made

    async def _values(
        self, row: Invocation[Mutations], subject: Subject, shown: Json, old: Json | None
    ) -> dict[str, object]:
        namespace = self.source.namespace_of(subject)
        before = await subject.shown(old, row.form)
        return expressions.bindings(
            subject, row.form, shown, before, self.authorize, params=row.param, namespace=namespace
        )


async def _taken(mutation: Mutation, subject: Subject, changed: Json, row: Invocation[Mutations]) -> Json:
    """The changed object, as the write path has it."""
    try:
        return await subject.take(changed, row.form)
    except ApiError as error:
        causes = error.details.get("causes") or ()
        if mutation.kind != APPLY_CONFIGURATION or error.code != 500 or not causes:
            raise
        form = row.form
        gvk = group_version_kind(f"{form.kind_group}/{form.kind_version}".lstrip("/"), form.kind)
        why = f"unable to convert unstructured object to {gvk}: {causes[0]['message']}"
        raise Unusable(why) from None


def _wrong(rows: list[Invocation[Mutations] | Misconfigured[Mutations]]) -> list[Misconfigured[Mutations]]:
    return [row for row in rows if isinstance(row, Misconfigured)]


def _key(row: Invocation[Mutations]) -> _Key:
    meta = (row.param or {}).get("metadata") or {}
    return row.policy.name, row.binding.name, f"{meta.get('namespace', '')}/{meta.get('name', '')}"


def _problem(policy: str, binding: str, why: str, reason: str = "") -> _Problem:
    who = f"policy '{policy}' with binding '{binding}'" if binding else f'policy "{policy}"'
    return _Problem(f"{who} denied request: {why}", reason)


def _refusal(subject: Subject, new: Json, problems: list[_Problem]) -> ApiError:
    error = subject.forbidden(new, "admission request denied by policy")
    error.message, error.reason = problems[0].text, problems[0].reason or error.reason
    error.details = {**error.details, "causes": [{"message": problem.text} for problem in problems]}
    return error

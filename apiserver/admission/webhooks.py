"""The webhooks of Mutating- and ValidatingWebhookConfigurations: which are asked about a request, and what follows.

Mutating ones are asked one after the other, each seeing what those before it made, and in a second round where
reinvocationPolicy says so and something changed after them. Validating ones are asked all at once.
Source: apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, generic/webhook.go.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from apimachinery import errors, patch
from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.admission import expressions, review
from apiserver.admission.expressions import Authorize
from apiserver.admission.matching import Criteria, selector
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.admission.review import Answer, Nonsense
from apiserver.admission.subject import Form, Subject
from apiserver.admission.webhook_client import Unreachable, WebhookClient
from apiserver.request import Lookup

log = structlog.get_logger("apiserver")
Warn = Callable[[str], None]
#: Keys of audit annotations.
_MUTATION, _VALIDATION = "mutation.webhook.admission.k8s.io/", "validating.webhook.admission.k8s.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One webhook of a configuration."""

    uid: str  #: its configuration, place and name
    configuration: str
    index: int  #: its place among all hooks
    name: str
    criteria: Criteria
    conditions: Sequence[Json]
    client: Json
    versions: Sequence[str]
    seconds: int
    ignores_failures: bool
    dry_run_safe: bool
    reinvoked: bool


def hooks(configurations: Sequence[Json]) -> tuple[Hook, ...]:
    """The webhooks of all configurations, in the order in which they are asked."""
    ordered = sorted(configurations, key=lambda tree: str(tree["metadata"]["name"]))
    rows = [(tree["metadata"]["name"], i, row) for tree in ordered for i, row in enumerate(tree.get("webhooks") or ())]
    return tuple(_hook(name, i, place, row) for place, (name, i, row) in enumerate(rows))


def _hook(configuration: str, index: int, place: int, row: Json) -> Hook:
    return Hook(
        uid=f"{configuration}/{row['name']}/{index}",
        configuration=configuration,
        index=place,
        name=row["name"],
        criteria=Criteria(
            rules=row.get("rules") or (),
            equivalent=row.get("matchPolicy") == "Equivalent",
            namespaces=selector(row.get("namespaceSelector")),
            objects=selector(row.get("objectSelector")),
        ),
        conditions=row.get("matchConditions") or (),
        client=row.get("clientConfig") or {},
        versions=row.get("admissionReviewVersions") or (),
        seconds=row.get("timeoutSeconds") or 10,
        ignores_failures=row.get("failurePolicy") == "Ignore",
        dry_run_safe=row.get("sideEffects") in ("None", "NoneOnDryRun"),
        reinvoked=row.get("reinvocationPolicy") == "IfNeeded",
    )


class Source:
    """The hooks of one kind of configuration, compiled anew when one of them changes."""

    def __init__(self, lookup: Lookup, kind: Kind, changes: Callable[[], object]) -> None:
        self._lookup, self._kind, self._changes = lookup, kind, changes
        self._version: object = None
        self._hooks: tuple[Hook, ...] = ()

    def __call__(self) -> tuple[Hook, ...]:
        version = self._changes()
        if version != self._version:
            self._hooks = hooks(self._lookup.list(self._kind))
            self._version = version
        return self._hooks


@dataclass(slots=True)
class Memory:
    """Of one request: which webhooks want to see later changes, and which have to be asked again."""

    called: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    last: Json | None = None  #: what the webhooks made of the object in the round before

    def changed(self) -> None:
        """Something changed: whoever was asked and wants to know is due."""
        self.due |= self.called
        self.called = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Asks the webhooks that a request concerns."""

    mutating: Callable[[], Sequence[Hook]]
    validating: Callable[[], Sequence[Hook]]
    client: WebhookClient
    lookup: Lookup
    authorize: Authorize | None
    new_uid: Callable[[], str]
    metrics: AdmissionMetrics
    clock: Callable[[], float]

    async def round(
        self, subject: Subject, new: Json | None, old: Json | None, warn: Warn, memory: Memory, *, again: bool
    ) -> tuple[Json | None, bool]:
        """The object as the mutating webhooks want it, each asked in turn, and whether one changed it.

        Raises ApiError where one refuses or fails closed.
        """
        found, before = self.mutating(), new
        if not found or subject.is_configuration:
            return new, False
        if again and memory.last != new:  # the plugins, or the policies, changed it once more
            memory.changed()
        number = 1 if again else 0
        for hook in found:
            form = await self._concerned(hook, subject, new, old)
            if form is None or (again and hook.uid not in memory.due):
                continue
            new, mutated = await self._asked(hook, form, subject, new, old, warn, number)
            if mutated:
                memory.changed()
            said = {"configuration": hook.configuration, "webhook": hook.name, "mutated": mutated}
            subject.annotate(f"{_MUTATION}round_{number}_index_{hook.index}", msgspec.json.encode(said).decode())
            if hook.reinvoked:
                memory.called.add(hook.uid)
        memory.last = new
        return new, new is not before

    async def _asked(
        self,
        hook: Hook,
        form: Form,
        subject: Subject,
        new: Json | None,
        old: Json | None,
        warn: Warn,
        number: int,
    ) -> tuple[Json | None, bool]:
        shown = await subject.shown(new, form)
        answer = await self._answer(hook, subject, form, shown, old, warn, number=number, mutating=True)
        patched = _patched(hook, answer, shown) if answer is not None else None
        if patched is None:
            return new, False
        made = await subject.take(patched, form)
        return (made, True) if made != new else (new, False)

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Ask the validating webhooks, all at once. Raises the first refusal in their order."""
        found = self.validating()
        if not found or subject.is_configuration:
            return
        concerned = [
            (hook, form) for hook in found if (form := await self._concerned(hook, subject, new, old)) is not None
        ]
        outcomes: list[ApiError | None] = [None] * len(concerned)

        async def ask(index: int, hook: Hook, form: Form) -> None:
            shown = await subject.shown(new, form)
            try:
                await self._answer(hook, subject, form, shown, old, warn, number=0, mutating=False)
            except ApiError as error:
                outcomes[index] = error

        async with asyncio.TaskGroup() as tasks:
            for index, (hook, form) in enumerate(concerned):
                tasks.create_task(ask(index, hook, form))
        for error in outcomes:
            if error is not None:
                raise error

    async def _concerned(self, hook: Hook, subject: Subject, new: Json | None, old: Json | None) -> Form | None:
        form = hook.criteria.match(subject, new, old, self.lookup)
        if form is None or not hook.conditions:
            return form
        values = expressions.bindings(
            subject,
            form,
            await subject.shown(new, form),
            await subject.shown(old, form),
            self.authorize,
        )
        verdict = expressions.judge(hook.conditions, values, ignore=hook.ignores_failures)
        if verdict.error:
            own = subject.own
            raise errors.forbidden(own.group, own.plural, subject.name or subject.attributes.name, verdict.error)
        return form if verdict.matches else None

    async def _answer(
        self,
        hook: Hook,
        subject: Subject,
        form: Form,
        shown: Json | None,
        old: Json | None,
        warn: Warn,
        *,
        number: int,
        mutating: bool,
    ) -> Answer | None:
        """What the webhook says; None where it failed and that does not matter. Raises ApiError."""
        if subject.dry_run and not hook.dry_run_safe:
            raise review.no_dry_run(hook.name)
        began, kind = self.clock(), "admit" if mutating else "validating"

        def observed(code: int, *, rejected: bool, error: str = "") -> None:
            seconds = self.clock() - began
            self.metrics.called(
                hook.name, kind, subject.operation, code=code, rejected=rejected, seconds=seconds, error=error
            )

        try:
            answer = await self._ask(hook, subject, form, shown, old, mutating=mutating)
        except (Unreachable, Nonsense) as error:
            observed(503, rejected=not hook.ignores_failures, error="calling_webhook_error")
            why = "failed to call webhook" if isinstance(error, Unreachable) else "received invalid webhook response"
            if not hook.ignores_failures:
                raise review.failed(hook.name, f"{why}: {error}") from None
            log.warning("a webhook failed, going on without it", webhook=hook.name, error=str(error))
            prefix = _MUTATION if mutating else _VALIDATION
            self.metrics.failed_open(hook.name, kind)
            subject.annotate(f"failed-open.{prefix}round_{number}_index_{hook.index}", hook.name)
            return None
        for key, value in answer.audit.items():
            subject.annotate(f"{hook.name}/{key}", value)
        for text in answer.warnings:
            warn(text)
        if not answer.allowed:
            refusal = review.denied(hook.name, answer.status)
            observed(refusal.code, rejected=True)
            raise refusal
        observed(200, rejected=False)
        return answer

    async def _ask(
        self, hook: Hook, subject: Subject, form: Form, shown: Json | None, old: Json | None, *, mutating: bool
    ) -> Answer:
        version = review.version_for(hook.versions)
        if version is None:
            raise Unreachable("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        uid = self.new_uid()
        before = await subject.shown(old, form)
        body = review.review(version, uid, subject, form, shown, before)
        return review.verified(await self.client.ask(hook.client, body, hook.seconds), version, uid, mutating=mutating)


def _patched(hook: Hook, answer: Answer, shown: Json | None) -> Json | None:
    """The object after the webhook's patch, None where it has none. Raises 500 for one that does not apply."""
    if not answer.patch:
        return None
    try:
        operations = msgspec.json.decode(answer.patch)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        operations, why = None, str(error)
    else:
        why = "json: cannot unmarshal into Go value of type jsonpatch.Patch"
    if not isinstance(operations, list):
        if hook.ignores_failures:
            return None
        raise review.failed(hook.name, f"received undecodable patch in webhook response: {why}")
    if not operations:
        return None
    if shown is None:
        raise errors.internal(
            f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
        )
    try:
        changed = patch.json_patch(shown, operations)
    except patch.NotApplied as error:
        raise errors.internal(error.why) from None
    except ApiError as error:
        raise errors.internal(error.message) from None
    if not isinstance(changed, dict):
        raise errors.internal("the patched object is not an object")
    return changed

"""The webhooks of Mutating- and ValidatingWebhookConfigurations: which are asked about a request, and what follows.

Mutating ones are asked one after the other, each seeing what those before it made, and in a second round where
reinvocationPolicy says so and something changed after them. Validating ones are asked all at once.
Source: apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, generic/webhook.go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import structlog

from apimachinery import errors, names, patch
from apimachinery.errors import ApiError
from apimachinery.json_syntax import complaint
from apimachinery.types import Json
from apiserver.admission import expressions, review
from apiserver.admission.expressions import Authorize
from apiserver.admission.review import Answer, Nonsense, Undecodable, json_name
from apiserver.admission.subject import Form, Subject
from apiserver.admission.webhook_client import Unreachable, WebhookClient
from apiserver.admission.webhook_source import Hook
from apiserver.metrics import admission as metrics
from apiserver.request import Lookup

log = structlog.get_logger("apiserver")
Warn = Callable[[str], None]
#: Keys of audit annotations.
_MUTATION, _VALIDATION = "mutation.webhook.admission.k8s.io/", "validating.webhook.admission.k8s.io/"
_PATCH = "patch.webhook.admission.k8s.io/"
#: The code of an object that is none after a patch.
_UNDECODED = 500
T = TypeVar("T")


class _FailedError(Exception):
    """The webhook could not be asked, or answered nonsense: what the failure policy is for."""

    def __init__(self, why: str, code: int = 503) -> None:
        super().__init__(why)
        self.code = code


class _RefusedError(Exception):
    """The webhook said no."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(slots=True)
class Memory:
    """Of one request: which webhooks want to see later changes, and which have to be asked again."""

    called: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    last: Json | None = None  #: what the webhooks made of the object in the round before
    #: Whether the object was read from JSON since it came. For upstream the first patch changes it whatever it says:
    #: before, the times of managedFields have fractions of seconds.
    was_patched: bool = False

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
    clock: Callable[[], float]

    async def round(
        self, subject: Subject, new: Json | None, old: Json | None, warn: Warn, memory: Memory, *, again: bool
    ) -> tuple[Json | None, bool]:
        """The object as the mutating webhooks want it, each asked in turn, and whether one changed it.

        Raises ApiError where one refuses or fails closed.
        """
        found, is_due = self.mutating(), False
        if not found or subject.is_configuration:
            return new, False
        if again and memory.last != new:  # the plugins, or the policies, changed it once more
            memory.changed()
        number = 1 if again else 0
        for hook in found:
            form = await self._concerned(hook, subject, new, old, "admit")
            if form is None or (again and hook.uid not in memory.due):
                continue
            mutated, place, began = False, f"round_{number}_index_{hook.index}", self.clock()
            try:
                asked = self._asked(hook, form, subject, new, old, warn, place)
                made = await self._judged(hook, subject, asked, f"{_MUTATION}{place}", "admit")
                if made is not None:
                    mutated, memory.was_patched = made != new or not memory.was_patched, True
                    new = made
            finally:
                subject.spend(self.clock() - began)
                said = {"configuration": hook.configuration, "webhook": hook.name, "mutated": mutated}
                subject.annotate(f"{_MUTATION}{place}", msgspec.json.encode(said).decode())
            if mutated:
                memory.changed()
                is_due = True
            if hook.reinvoked:
                memory.called.add(hook.uid)
        memory.last = new
        return new, is_due

    async def _asked(
        self, hook: Hook, form: Form, subject: Subject, new: Json | None, old: Json | None, warn: Warn, place: str
    ) -> Json | None:
        """The object as a mutating webhook wants it, None where it does not change it."""
        shown = await subject.shown(new, form)
        answer = await self._answer(hook, subject, form, shown, old, warn, mutating=True)
        operations = _operations(answer)
        if not operations:
            return None
        patched = _patched(hook, operations, shown)
        try:
            return await subject.take(patched, form)
        except ApiError as error:
            if error.code == _UNDECODED:
                operations = []
            raise
        finally:
            if operations:
                said: Json = {"configuration": hook.configuration, "webhook": hook.name}
                said |= {"patch": operations, "patchType": "JSONPatch"}
                subject.annotate(f"{_PATCH}{place}", msgspec.json.encode(said).decode(), whole=True)

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Ask the validating webhooks, all at once. Raises the first refusal in their order."""
        found = self.validating()
        if not found or subject.is_configuration:
            return
        concerned = [
            (hook, form)
            for hook in found
            if (form := await self._concerned(hook, subject, new, old, "validating")) is not None
        ]
        outcomes: list[ApiError | None] = [None] * len(concerned)

        async def ask(index: int, hook: Hook, form: Form) -> None:
            shown = await subject.shown(new, form)
            asked = self._answer(hook, subject, form, shown, old, warn, mutating=False)
            try:
                await self._judged(hook, subject, asked, f"{_VALIDATION}round_0_index_{index}", "validating")
            except ApiError as error:
                outcomes[index] = error

        began = self.clock()
        async with asyncio.TaskGroup() as tasks:
            for index, (hook, form) in enumerate(concerned):
                tasks.create_task(ask(index, hook, form))
        subject.spend(self.clock() - began)
        for error in outcomes:
            if error is not None:
                raise error

    async def _concerned(
        self, hook: Hook, subject: Subject, new: Json | None, old: Json | None, kind: str
    ) -> Form | None:
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
        began = self.clock()
        verdict = expressions.judge(hook.conditions, values, ignore=hook.ignores_failures)
        metrics.judged(
            hook.name,
            "webhook",
            kind,
            subject.operation,
            self.clock() - began,
            excluded=not verdict.matches,
            failed=bool(verdict.error),
        )
        if verdict.error:
            own = subject.own
            raise errors.forbidden(own.group, own.plural, subject.name or subject.attributes.name, verdict.error)
        return form if verdict.matches else None

    async def _judged(self, hook: Hook, subject: Subject, asked: Awaitable[T], place: str, kind: str) -> T | None:
        """What comes of asking a webhook; None where it failed and that does not matter. Raises ApiError."""
        began = self.clock()

        def observed(code: int, *, rejected: bool, error: str = "") -> None:
            seconds = self.clock() - began
            metrics.called(
                hook.name, kind, subject.operation, code=code, rejected=rejected, seconds=seconds, error=error
            )

        try:
            found = await asked
        except _FailedError as error:
            observed(error.code, rejected=not hook.ignores_failures, error="calling_webhook_error")
            if not hook.ignores_failures:
                raise review.failed(hook.name, str(error)) from None
            log.warning("a webhook failed, going on without it", webhook=hook.name, error=str(error))
            metrics.failed_open(hook.name, kind)
            subject.annotate(f"failed-open.{place}", hook.name)
            return None
        except _RefusedError as error:
            observed(error.refusal.code, rejected=True)
            raise error.refusal from None
        except ApiError:
            observed(0, rejected=True, error="apiserver_internal_error")
            raise
        observed(200, rejected=False)
        return found

    async def _answer(
        self,
        hook: Hook,
        subject: Subject,
        form: Form,
        shown: Json | None,
        old: Json | None,
        warn: Warn,
        *,
        mutating: bool,
    ) -> Answer:
        """What the webhook says, if it lets the request pass. Raises _FailedError, _RefusedError, ApiError."""
        if subject.dry_run and not hook.dry_run_safe:
            raise review.no_dry_run(hook.name)
        try:
            answer = await self._ask(hook, subject, form, shown, old, mutating=mutating)
        except Unreachable as error:
            raise _FailedError(f"failed to call webhook: {error}", error.code) from None
        except Undecodable as error:
            raise _FailedError(f"failed to call webhook: {error}") from None
        except Nonsense as error:
            raise _FailedError(f"received invalid webhook response: {error}") from None
        for key, value in answer.audit.items():
            if not names.qualified_name(f"{hook.name}/{key}"):
                subject.annotate(f"{hook.name}/{key}", value)
        for text in answer.warnings:
            warn(text)
        if not answer.allowed:
            raise _RefusedError(review.denied(hook.name, answer.status))
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


def _operations(answer: Answer) -> list[Any]:
    """The operations of an answer's patch. Raises _FailedError for what are none."""
    if not answer.patch:
        return []
    try:
        operations = msgspec.json.decode(answer.patch)
        why = f"json: cannot unmarshal {json_name(operations)} into Go value of type jsonpatch.Patch"
    except (msgspec.DecodeError, UnicodeDecodeError):
        operations, why = None, complaint(answer.patch) or "invalid UTF-8"
    if not isinstance(operations, list):
        raise _FailedError(f"received undecodable patch in webhook response: {why}")
    if operations and answer.patch_type != "JSONPatch":
        raise _FailedError(f'unsupported patch type "{answer.patch_type}"')
    return operations


def _patched(hook: Hook, operations: list[Any], shown: Json | None) -> Json:
    """The object after the webhook's patch. Raises 500 for one that does not apply."""
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

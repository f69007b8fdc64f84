"""What ValidatingAdmissionPolicies decide about a request: denials, warnings, annotations of the audit event.

Source: apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from apimachinery import errors
from apimachinery.types import Json
from apiserver.admission import expressions
from apiserver.admission.expressions import Authorize
from apiserver.admission.policy_programs import Decision, Failure, Programs
from apiserver.admission.policy_source import Invocation, Misconfigured, Source
from apiserver.admission.subject import Subject
from apiserver.cel import OUT_OF_BUDGET
from apiserver.metrics import admission as metrics

Warn = Callable[[str], None]
_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}
_LONGEST_ANNOTATION = 10 * 1024
#: Values of audit annotations, by policy and key.
_Audits = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class _Denial:
    policy: str
    binding: str
    message: str
    reason: str = ""

    def __str__(self) -> str:
        bound = f" with binding '{self.binding}'" if self.binding else ""
        return f"ValidatingAdmissionPolicy '{self.policy}'{bound} denied request: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The validating policies of this server."""

    source: Source[Programs]
    authorize: Authorize | None
    clock: Callable[[], float]

    def any(self) -> bool:
        """Whether there is a policy that is bound."""
        return bool(self.source.policies())

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Raise ApiError for what a policy denies."""
        denials: list[_Denial] = []
        audits: _Audits = {}
        for row in await self.source.concerned(subject, new, old):
            if isinstance(row, Misconfigured):
                denials.append(_Denial(row.policy.name, row.binding.name if row.binding else "", str(row)))
                continue
            namespace = self.source.namespace_of(subject)
            shown, before = await subject.shown(new, row.form), await subject.shown(old, row.form)
            values = expressions.bindings(
                subject, row.form, shown, before, self.authorize, params=row.param, namespace=namespace
            )
            began = self.clock()
            decision = row.policy.programs.evaluate(values, ignore=row.policy.ignores_failures)
            self._count(row, decision, self.clock() - began)
            denials += _acted(row, decision, subject, warn)
            _annotated(row.policy.name, decision, audits)
        for key, found in audits.items():
            subject.annotate(key, ", ".join(found))
        if denials:
            raise _refusal(subject, new, denials[0])

    def _count(self, row: Invocation[Programs], decision: Decision, seconds: float) -> None:
        policy, binding = row.policy.name, row.binding
        for failure in decision.failures:
            for action in binding.actions:
                metrics.checked(policy, binding.name, action.lower(), _error_type(failure), seconds)
        for message in decision.audit_errors:
            metrics.checked(policy, binding.name, "deny", _error_type(Failure(0, message, is_error=True)), seconds)
        for failure in decision.ignored:
            metrics.checked(policy, binding.name, "allow", _error_type(failure), seconds)


def _error_type(failure: Failure) -> str:
    """The metric's word for what went wrong, read from the message as upstream reads it: also a plain denial is one."""
    if failure.message.startswith("compilation"):
        return "compile_error"
    return "out_of_budget" if failure.message.startswith(OUT_OF_BUDGET) else "invalid_error"


def _acted(row: Invocation[Programs], decision: Decision, subject: Subject, warn: Warn) -> list[_Denial]:
    """What the binding's actions make of the failures."""
    policy, binding = row.policy.name, row.binding
    denials: list[_Denial] = []
    for failure in decision.failures:
        for action in binding.actions:
            if action == "Deny":
                denials.append(_Denial(policy, binding.name, failure.message, failure.reason))
            elif action == "Warn":
                warn(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{binding.name}': "
                    f"{failure.message}"
                )
            elif action == "Audit":
                _record(row, failure, subject)
    return denials + [_Denial(policy, binding.name, message) for message in decision.audit_errors]


def _record(row: Invocation[Programs], failure: Failure, subject: Subject) -> None:
    said = {
        "message": failure.message,
        "policy": row.policy.name,
        "binding": row.binding.name,
        "expressionIndex": failure.index,
        "validationActions": list(row.binding.actions),
    }
    subject.annotate("validation.policy.admission.k8s.io/validation_failure", msgspec.json.encode([said]).decode())


def _annotated(policy: str, decision: Decision, audits: _Audits) -> None:
    for key, value in decision.annotations:
        found = audits.setdefault(f"{policy}/{key}", [])
        if value[:_LONGEST_ANNOTATION] not in found:
            found.append(value[:_LONGEST_ANNOTATION])


def _refusal(subject: Subject, new: Json | None, denial: _Denial) -> errors.ApiError:
    error = subject.forbidden(new, str(denial))
    error.reason = denial.reason or "Invalid"
    error.code = _CODES.get(error.reason, 422)
    error.details = {**error.details, "causes": [{"message": str(denial)}]}
    return error

"""What became of calls to webhooks and of policies, and what admission took: as a whole, each plugin, each expression.

Sources: apiserver/pkg/admission/metrics/metrics.go, admission/plugin/policy/{validating,mutating}/metrics,
apiserver/pkg/cel/metrics.
"""

from collections.abc import Iterable, Sequence

from serving.series import BETA, STABLE, Counter, Family, Histogram, Summary

_STEPS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
_EXPRESSIONS = (0.0000005, 0.001, 0.01, 0.1, 1.0)
_CONDITIONS = (0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25)
_PREFIX = "apiserver_admission_"
_VALIDATING, _MUTATING = "apiserver_validating_admission_policy", "apiserver_mutating_admission_policy"
_OF_STEP = ("type", "operation", "rejected")
_OF_HOOK = ("name", "type", "operation")
_OF_CONDITIONS = ("name", "kind", "type", "operation")
_CHECKED = ("policy", "policy_binding", "error_type", "enforcement_action")
_MUTATED = ("policy", "policy_binding", "error_type")
_GREATEST_CODE = 600

CEL_COMPILATION = Histogram(
    "apiserver_cel_compilation_duration_seconds", "How long expressions took to be compiled.", stability=BETA
)
CEL_EVALUATION = Histogram(
    "apiserver_cel_evaluation_duration_seconds", "How long expressions took to be evaluated.", stability=BETA
)
_STEP = Histogram(
    f"{_PREFIX}step_admission_duration_seconds",
    "How long a step of admission took (admit or validate), by operation.",
    _OF_STEP,
    buckets=_STEPS,
    stability=STABLE,
)
_STEP_SUMMARY = Summary(
    f"{_PREFIX}step_admission_duration_seconds_summary", "The same, as quantiles of the last ones.", _OF_STEP
)
_CONTROLLER = Histogram(
    f"{_PREFIX}controller_admission_duration_seconds",
    "How long each admission plugin took, by operation and step.",
    ("name", *_OF_STEP),
    buckets=_STEPS,
    stability=STABLE,
)
_WEBHOOK = Histogram(
    f"{_PREFIX}webhook_admission_duration_seconds",
    "How long each webhook took, by operation and step.",
    (*_OF_HOOK, "rejected"),
    buckets=(*_STEPS, 10.0, 25.0),
    stability=STABLE,
)
_REQUESTS = Counter(
    f"{_PREFIX}webhook_request_total", "Calls to webhooks, by what came of them.", (*_OF_HOOK, "code", "rejected")
)
_REJECTIONS = Counter(
    f"{_PREFIX}webhook_rejection_count",
    "Requests that webhooks refused, or that failed because a webhook did.",
    (*_OF_HOOK, "error_type", "rejection_code"),
)
_OPEN = Counter(
    f"{_PREFIX}webhook_fail_open_count", "Requests that went on although a webhook failed.", ("name", "type")
)
_CONDITION = Histogram(
    f"{_PREFIX}match_condition_evaluation_seconds",
    "How long the match conditions of a webhook or policy took.",
    _OF_CONDITIONS,
    buckets=_CONDITIONS,
)
_EXCLUSIONS = Counter(
    f"{_PREFIX}match_condition_exclusions_total",
    "Requests that match conditions kept from a webhook or policy.",
    _OF_CONDITIONS,
)
_CONDITION_ERRORS = Counter(
    f"{_PREFIX}match_condition_evaluation_errors_total", "Match conditions that failed.", _OF_CONDITIONS
)
_CHECKS = Counter(
    f"{_VALIDATING}_check_total",
    "What validating policies decided, by binding and what follows.",
    _CHECKED,
    stability=BETA,
)
_CHECK_SECONDS = Histogram(
    f"{_VALIDATING}_check_duration_seconds",
    "How long expressions of validating policies took.",
    _CHECKED,
    buckets=_EXPRESSIONS,
    stability=BETA,
)
_MUTATIONS = Counter(f"{_MUTATING}_check_total", "What mutating policies came to, by binding.", _MUTATED)
_MUTATION_SECONDS = Histogram(
    f"{_MUTATING}_check_duration_seconds",
    "How long mutations of policies took.",
    _MUTATED,
    buckets=_EXPRESSIONS,
)
FAMILIES: tuple[Family, ...] = (
    *(CEL_COMPILATION, CEL_EVALUATION, _STEP, _STEP_SUMMARY, _CONTROLLER, _WEBHOOK, _REQUESTS, _REJECTIONS, _OPEN),
    *(_CONDITION, _EXCLUSIONS, _CONDITION_ERRORS, _CHECKS, _CHECK_SECONDS, _MUTATIONS, _MUTATION_SECONDS),
)


class StepTimes:
    """One step (`admit`, `validate`) of one operation: where it and its plugins are counted, bound once."""

    __slots__ = ("_labels", "_plugins", "_summary", "_whole")

    def __init__(self, kind: str, operation: str, plugins: Iterable[str]) -> None:
        self._labels = (kind, operation.upper())
        self._whole = _STEP.of(*self._labels, "false")
        self._summary = _STEP_SUMMARY.of(*self._labels, "false")
        self._plugins = [_CONTROLLER.of(name, *self._labels, "false") for name in plugins]

    def ran(self, times: Sequence[float]) -> None:
        """The plugins ran and let a request pass: when the first began, and when each had ended."""
        before = times[0]
        if times[-1] - before <= _STEPS[0]:  # nearly always: so did each
            for row, now in zip(self._plugins, times[1:], strict=False):
                row.counts[0] += 1
                row.sum += now - before
                before = now
            return
        for row, now in zip(self._plugins, times[1:], strict=False):
            row.add(now - before)
            before = now

    def refused_by(self, name: str, seconds: float) -> None:
        """A plugin refused a request."""
        _CONTROLLER.of(name, *self._labels, "true").add(seconds)

    def passed(self, seconds: float) -> None:
        """All let a request pass."""
        self._whole.add(seconds)
        self._summary.add(seconds)

    def refused(self, seconds: float) -> None:
        """Somebody refused one."""
        _STEP.of(*self._labels, "true").add(seconds)
        _STEP_SUMMARY.of(*self._labels, "true").add(seconds)


def called(name: str, kind: str, operation: str, *, code: int, rejected: bool, seconds: float, error: str = "") -> None:
    """One call to a webhook: `error` says what went wrong (calling_webhook_error), if it did."""
    said, told = "true" if rejected else "false", str(min(code, _GREATEST_CODE))
    _WEBHOOK.of(name, kind, operation, said).add(seconds)
    _REQUESTS.of(name, kind, operation, told, said).value += 1
    if rejected:
        _REJECTIONS.of(name, kind, operation, error or "no_error", told).value += 1


def failed_open(name: str, kind: str) -> None:
    """A webhook failed, and the request went on without it."""
    _OPEN.of(name, kind).value += 1


def judged(name: str, kind: str, step: str, operation: str, seconds: float, *, excluded: bool, failed: bool) -> None:
    """Match conditions of a `webhook` or `policy` were evaluated."""
    labels = (name, kind, step, operation)
    _CONDITION.of(*labels).add(seconds)
    if failed:
        _CONDITION_ERRORS.of(*labels).value += 1
    elif excluded:  # upstream calls the step by another name there
        _EXCLUSIONS.of(name, kind, "validate" if step == "validating" else step, operation).value += 1


def checked(policy: str, binding: str, action: str, error: str, seconds: float) -> None:
    """A policy made a binding act (deny, warn, audit; allow: it ignores errors), and what went wrong, if it did."""
    _CHECKS.of(policy, binding, error, action).value += 1
    _CHECK_SECONDS.of(policy, binding, error, action).add(seconds)


def mutated(policy: str, binding: str, error: str, seconds: float) -> None:
    """One mutation of a policy, and what went wrong (`no_error`, if nothing did)."""
    _MUTATIONS.of(policy, binding, error).value += 1
    _MUTATION_SECONDS.of(policy, binding, error).add(seconds)

"""ValidatingAdmissionPolicies and their bindings: which concern a request, with which parameters, and what they decide.

A policy is compiled once, when it or a binding changes. Nothing here writes; reads are the watch cache's.
Source: apiserver/pkg/admission/plugin/policy/{generic,validating}.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from apimachinery import errors, selectors
from apimachinery.kinds import NAMESPACES, VALIDATINGADMISSIONPOLICIES, VALIDATINGADMISSIONPOLICYBINDINGS
from apimachinery.types import Json
from apiserver.admission import expressions
from apiserver.admission.expressions import Authorize
from apiserver.admission.matching import Criteria, selector
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.admission.policy_programs import Decision, Programs, compiled
from apiserver.admission.subject import Form, Subject
from apiserver.request import Lookup

Warn = Callable[[str], None]
_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}
_LONGEST_ANNOTATION = 10 * 1024


@dataclass(frozen=True, slots=True)
class ParamKind:
    """The objects that a policy may be parametrised by: their scope, and how to read them."""

    namespaced: bool
    get: Callable[[str, str], Awaitable[Json | None]]  #: namespace, name
    list: Callable[[str], Awaitable[Sequence[Json]]]  #: namespace


#: From apiVersion and kind; None where nothing like it is served.
FindParams = Callable[[str, str], ParamKind | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    name: str
    criteria: Criteria
    actions: Sequence[str]
    param: Json | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    criteria: Criteria
    ignores_failures: bool
    param_kind: Json | None
    programs: Programs
    bindings: Sequence[Binding]


@dataclass(frozen=True, slots=True)
class _Denial:
    policy: str
    binding: str
    message: str
    reason: str = ""

    def __str__(self) -> str:
        bound = f" with binding '{self.binding}'" if self.binding else ""
        return f"ValidatingAdmissionPolicy '{self.policy}'{bound} denied request: {self.message}"


class _MisconfiguredError(Exception):
    """A policy or binding that cannot be applied."""


def _criteria(match: Json | None) -> Criteria:
    match = match or {}
    return Criteria(
        rules=match.get("resourceRules") or (),
        excluded=match.get("excludeResourceRules") or (),
        equivalent=match.get("matchPolicy") == "Equivalent",
        namespaces=selector(match.get("namespaceSelector")),
        objects=selector(match.get("objectSelector")),
        all_without_rules=True,
    )


def policies(trees: Sequence[Json], bindings: Sequence[Json]) -> tuple[Policy, ...]:
    """The policies that are bound, by name."""
    bound: dict[str, list[Binding]] = {}
    for tree in sorted(bindings, key=lambda t: str(t["metadata"]["name"])):
        spec = tree.get("spec") or {}
        bound.setdefault(spec.get("policyName", ""), []).append(
            Binding(
                name=tree["metadata"]["name"],
                criteria=_criteria(spec.get("matchResources")),
                actions=spec.get("validationActions") or (),
                param=spec.get("paramRef"),
            )
        )
    ordered = sorted(trees, key=lambda t: str(t["metadata"]["name"]))
    return tuple(
        _policy(tree, bound[tree["metadata"]["name"]]) for tree in ordered if tree["metadata"]["name"] in bound
    )


def _policy(tree: Json, bindings: Sequence[Binding]) -> Policy:
    spec = tree.get("spec") or {}
    return Policy(
        name=tree["metadata"]["name"],
        criteria=_criteria(spec.get("matchConstraints")),
        ignores_failures=spec.get("failurePolicy") == "Ignore",
        param_kind=spec.get("paramKind"),
        programs=compiled(spec),
        bindings=bindings,
    )


@dataclass(slots=True, kw_only=True)
class Policies:
    """The policies of this server."""

    lookup: Lookup
    changes: Callable[[], object]
    params: FindParams
    authorize: Authorize | None
    metrics: AdmissionMetrics
    _version: object = None
    _policies: tuple[Policy, ...] = field(default=())

    def any(self) -> bool:
        """Whether there is a policy that is bound."""
        version = self.changes()
        if version != self._version:
            self._policies = policies(
                self.lookup.list(VALIDATINGADMISSIONPOLICIES), self.lookup.list(VALIDATINGADMISSIONPOLICYBINDINGS)
            )
            self._version = version
        return bool(self._policies)

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Raise ApiError for what a policy denies."""
        if not self.any() or subject.is_configuration:
            return
        denials: list[_Denial] = []
        for policy in self._policies:
            denials += await self._judged(policy, subject, new, old, warn)
        if denials:
            raise _refusal(subject, new, denials[0])

    async def _judged(
        self, policy: Policy, subject: Subject, new: Json | None, old: Json | None, warn: Warn
    ) -> list[_Denial]:
        def misconfigured(why: Exception, binding: str) -> list[_Denial]:
            if policy.ignores_failures:
                return []
            what = "binding" if binding else "policy"
            return [_Denial(policy.name, binding, f"failed to configure {what}: {why}")]

        try:
            form = policy.criteria.match(subject, new, old, self.lookup)
            if form is None:
                return []
            kind = self._param_kind(policy)
        except (errors.ApiError, _MisconfiguredError) as error:
            return misconfigured(error, "")
        denials: list[_Denial] = []
        audits: dict[str, list[str]] = {}
        for binding in policy.bindings:
            try:
                if binding.criteria.match(subject, new, old, self.lookup) is None:
                    continue
                params = await _params(binding.param, kind, subject.namespace)
            except (errors.ApiError, _MisconfiguredError) as error:
                denials += misconfigured(error, binding.name)
                continue
            for param in params:
                values = await self._values(subject, form, new, old, param)
                decision = policy.programs.evaluate(values, ignore=policy.ignores_failures)
                denials += _acted(policy, binding, decision, subject, warn, audits, self.metrics)
        for key, found in audits.items():
            subject.annotate(f"{policy.name}/{key}", ", ".join(found))
        return denials

    def _param_kind(self, policy: Policy) -> ParamKind | None:
        kind = policy.param_kind
        if kind is None:
            return None
        found = self.params(kind.get("apiVersion", ""), kind.get("kind", ""))
        if found is None:
            shown = f"{kind.get('apiVersion', '')}, Kind={kind.get('kind', '')}"
            raise _MisconfiguredError(f"failed to find resource referenced by paramKind: '{shown}'")
        return found

    async def _values(
        self, subject: Subject, form: Form, new: Json | None, old: Json | None, param: Json | None
    ) -> dict[str, object]:
        namespace = "" if subject.is_namespace else subject.namespace
        found = self.lookup.get(NAMESPACES, "", namespace) if namespace else None
        if namespace and found is None:
            raise errors.not_found("", "namespaces", namespace)
        shown, before = await subject.shown(new, form), await subject.shown(old, form)
        return expressions.bindings(subject, form, shown, before, self.authorize, params=param, namespace=found)


async def _params(ref: Json | None, kind: ParamKind | None, namespace: str) -> Sequence[Json | None]:
    """The parameters of a binding, one evaluation each; one without any where the policy or binding has none."""
    if kind is None or ref is None:
        return [None]
    where = ref.get("namespace") or ""
    if kind.namespaced:
        where = where or namespace
        if not where:
            raise _MisconfiguredError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
    elif where:
        raise _MisconfiguredError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    found = await _selected(ref, kind, where)
    if not found and ref.get("parameterNotFoundAction") == "Deny":
        raise _MisconfiguredError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


async def _selected(ref: Json, kind: ParamKind, namespace: str) -> list[Json]:
    if ref.get("name"):
        param = await kind.get(namespace, ref["name"])
        return [param] if param is not None else []
    chosen = selectors.from_label_selector(ref.get("selector") or {})
    return [tree for tree in await kind.list(namespace) if chosen.matches(tree["metadata"].get("labels") or {})]


def _acted(
    policy: Policy,
    binding: Binding,
    decision: Decision,
    subject: Subject,
    warn: Warn,
    audits: dict[str, list[str]],
    metrics: AdmissionMetrics,
) -> list[_Denial]:
    """What the binding's actions make of the failures."""
    denials: list[_Denial] = []
    for failure in decision.failures:
        for action in binding.actions:
            metrics.checked(policy.name, binding.name, action.lower(), error=failure.is_error)
            if action == "Deny":
                denials.append(_Denial(policy.name, binding.name, failure.message, failure.reason))
            elif action == "Warn":
                warn(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                    f"{failure.message}"
                )
            elif action == "Audit":
                row = {
                    "message": failure.message,
                    "policy": policy.name,
                    "binding": binding.name,
                    "expressionIndex": failure.index,
                    "validationActions": list(binding.actions),
                }
                subject.annotate(
                    "validation.policy.admission.k8s.io/validation_failure", msgspec.json.encode([row]).decode()
                )
    denials += [_Denial(policy.name, binding.name, message) for message in decision.audit_errors]
    for key, value in decision.annotations:
        found = audits.setdefault(key, [])
        if value[:_LONGEST_ANNOTATION] not in found:
            found.append(value[:_LONGEST_ANNOTATION])
    return denials


def _refusal(subject: Subject, new: Json | None, denial: _Denial) -> errors.ApiError:
    meta = (new or {}).get("metadata") or {}
    name = subject.attributes.name or meta.get("name") or meta.get("generateName") or "Unknown"
    own = subject.own
    error = errors.forbidden(own.group, own.plural, name, str(denial))
    error.reason = denial.reason or "Invalid"
    error.code = _CODES.get(error.reason, 422)
    error.details = {**error.details, "causes": [{"message": str(denial)}]}
    return error

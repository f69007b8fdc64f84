"""Admission policies and their bindings, validating and mutating ones alike: which concern a request, with what.

A policy is compiled once, when it or a binding changes. `Source.concerned` gives every policy, binding and parameter
that a request has to do with, in order, and what is wrong with a policy or binding that cannot be applied.
Nothing here writes; reads are the watch cache's. Source: apiserver/pkg/admission/plugin/policy/generic.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from apimachinery import errors, selectors
from apimachinery.kinds import NAMESPACES, Kind
from apimachinery.types import Json
from apiserver.admission.matching import Criteria, selector
from apiserver.admission.subject import Form, Subject
from apiserver.request import Lookup

#: A policy's expressions, compiled.
P = TypeVar("P")


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
    actions: Sequence[str]  #: of validating ones
    param: Json | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Generic[P]):
    name: str
    criteria: Criteria
    ignores_failures: bool
    param_kind: Json | None
    programs: P
    bindings: Sequence[Binding]


@dataclass(frozen=True, slots=True)
class Invocation(Generic[P]):
    """One evaluation that a request asks for."""

    policy: Policy[P]
    binding: Binding
    form: Form
    param: Json | None


@dataclass(frozen=True, slots=True)
class Misconfigured(Generic[P]):
    """A policy, or binding of one, that fails closed and cannot be applied."""

    policy: Policy[P]
    binding: Binding | None
    why: str

    def __str__(self) -> str:
        return f"failed to configure {'policy' if self.binding is None else 'binding'}: {self.why}"


class _MisconfiguredError(Exception):
    """Why a policy or binding cannot be applied."""


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


def policies(trees: Sequence[Json], bindings: Sequence[Json], compile: Callable[[Json], P]) -> tuple[Policy[P], ...]:
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
    named = [(tree["metadata"]["name"], tree.get("spec") or {}) for tree in ordered]
    return tuple(_policy(name, spec, bound[name], compile) for name, spec in named if name in bound)


def _policy(name: str, spec: Json, bindings: Sequence[Binding], compile: Callable[[Json], P]) -> Policy[P]:
    return Policy(
        name=name,
        criteria=_criteria(spec.get("matchConstraints")),
        ignores_failures=spec.get("failurePolicy") == "Ignore",
        param_kind=spec.get("paramKind"),
        programs=compile(spec),
        bindings=bindings,
    )


@dataclass(slots=True, kw_only=True)
class Source(Generic[P]):
    """The policies of one sort. `compile` makes programs of a spec."""

    lookup: Lookup
    kinds: tuple[Kind, Kind]  #: of policies and of bindings
    changes: Callable[[], object]
    params: FindParams
    compile: Callable[[Json], P]
    _version: object = None
    _policies: tuple[Policy[P], ...] = field(default=())

    def policies(self) -> tuple[Policy[P], ...]:
        """The policies that are bound."""
        version = self.changes()
        if version != self._version:
            trees, bindings = (self.lookup.list(kind) for kind in self.kinds)
            self._policies = policies(trees, bindings, self.compile)
            self._version = version
        return self._policies

    async def concerned(
        self, subject: Subject, new: Json | None, old: Json | None
    ) -> list[Invocation[P] | Misconfigured[P]]:
        """What a request has to do with, in order."""
        found: list[Invocation[P] | Misconfigured[P]] = []
        for policy in () if subject.is_beyond_policies else self.policies():
            rows = await self._of_policy(policy, subject, new, old)
            found += [row for row in rows if isinstance(row, Invocation) or not policy.ignores_failures]
        return found

    async def _of_policy(
        self, policy: Policy[P], subject: Subject, new: Json | None, old: Json | None
    ) -> list[Invocation[P] | Misconfigured[P]]:
        try:
            form = policy.criteria.match(subject, new, old, self.lookup)
            kind = self._param_kind(policy) if form is not None else None
        except (errors.ApiError, _MisconfiguredError) as error:
            return [Misconfigured(policy, None, str(error))]
        found: list[Invocation[P] | Misconfigured[P]] = []
        for binding in policy.bindings if form is not None else ():
            assert form is not None
            try:
                if binding.criteria.match(subject, new, old, self.lookup) is not None:
                    params = await _params(binding.param, kind, subject.namespace)
                    found += [Invocation(policy, binding, form, param) for param in params]
            except (errors.ApiError, _MisconfiguredError) as error:
                found.append(Misconfigured(policy, binding, str(error)))
        return found

    def _param_kind(self, policy: Policy[P]) -> ParamKind | None:
        kind = policy.param_kind
        if kind is None:
            return None
        found = self.params(kind.get("apiVersion", ""), kind.get("kind", ""))
        if found is None:
            shown = f"{kind.get('apiVersion', '')}, Kind={kind.get('kind', '')}"
            raise _MisconfiguredError(f"failed to find resource referenced by paramKind: '{shown}'")
        return found

    def namespace_of(self, subject: Subject) -> Json | None:
        """The namespace that expressions see; that of a namespace is none. Raises 404."""
        name = "" if subject.is_namespace else subject.namespace
        found = self.lookup.get(NAMESPACES, "", name) if name else None
        if name and found is None:
            raise errors.not_found("", "namespaces", name)
        return found


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

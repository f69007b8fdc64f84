"""The plugins in order, and the calls of the write path over them.

    mutate     built-in plugins, MutatingAdmissionPolicies, mutating webhooks; all once more where something changed
    validate   built-in plugins, ValidatingAdmissionPolicies, validating webhooks, the quota last
    review     both, of an object that is no stored one: a connect's options, an eviction, a review

Source of the order and of what is on: pkg/kubeapiserver/options/plugins.go.
A cached read may be behind (a namespace made a moment ago): before a refusal counts, the chain waits until the cache is
fresh and runs again.
"""

import random as dice
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.admission import (
    certificates,
    defaults,
    limits,
    namespaces,
    node_restriction,
    pod_security,
    priority,
    runtime_classes,
    serviceaccounts,
    storage,
)
from apiserver.admission.dynamic import Dynamic
from apiserver.admission.plugin import Plugin, Review, Step, nothing, operation_of
from apiserver.admission.quota_accounts import Accounts
from apiserver.admission.subject import Subject
from apiserver.metrics.admission import StepTimes
from apiserver.request import Attributes, Decision, Lookup

#: Runs after all others have let the write through, since it writes itself (`Chain.accounts`).
_QUOTA = Plugin("ResourceQuota")

#: Names of the flags for what is configured through the API; they run between the built-in plugins and the quota.
MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS = "MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"
MUTATING_POLICIES, VALIDATING_POLICIES = "MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"
_DYNAMIC = (MUTATING_POLICIES, MUTATING_WEBHOOKS, VALIDATING_POLICIES, VALIDATING_WEBHOOKS)

#: What upstream has besides, off by default or without effect by default: it may be turned off, but not on.
_ABSENT = (
    *("AlwaysAdmit", "AlwaysDeny", "ClusterTrustBundleAttest", "EventRateLimit", "ImagePolicyWebhook"),
    *("LimitPodHardAntiAffinityTopology", "NamespaceAutoProvision", "NamespaceExists"),
    *("OwnerReferencesPermissionEnforcement", "PodNodeSelector", "PodTolerationRestriction", "PodTopologyLabels"),
)

#: Every built-in plugin, in the order in which they run.
PLUGINS: tuple[Plugin, ...] = (
    namespaces.LIFECYCLE,
    limits.LIMIT_RANGER,
    serviceaccounts.SERVICE_ACCOUNT,
    node_restriction.NODE_RESTRICTION,
    defaults.TAINT_NODES,
    defaults.ALWAYS_PULL_IMAGES,
    pod_security.POD_SECURITY,
    priority.PRIORITY,
    defaults.TOLERATION_SECONDS,
    defaults.EXTENDED_RESOURCE_TOLERATION,
    storage.DEFAULT_STORAGE_CLASS,
    storage.IN_USE_PROTECTION,
    storage.CLAIM_RESIZE,
    runtime_classes.RUNTIME_CLASS,
    certificates.APPROVAL,
    certificates.SIGNING,
    certificates.SUBJECT_RESTRICTION,
    defaults.DEFAULT_INGRESS_CLASS,
    defaults.DENY_EXTERNAL_IPS,
    _QUOTA,
)


#: For how many resources the steps are kept: custom ones come and go.
_MOST_RESOURCES = 1000


async def _no_wait() -> None:
    return None


def _unheard(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Half:
    """What the plugins do at one step of an operation on a resource, and where that is timed."""

    names: Sequence[str]
    steps: Sequence[Step]
    times: StepTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The plugins that are on. `fresh` waits until what `lookup` reads is as new as the store.

    `dynamic` is what is configured through the API. A request without a `subject` is the server's own, which no webhook
    and no policy sees.
    """

    plugins: Sequence[Plugin]
    dynamic: Dynamic | None = None
    random: dice.Random
    authorize: Callable[[Attributes], Decision] | None = None
    fresh: Callable[[], Awaitable[None]] = field(default=_no_wait)
    accounts: Accounts | None = None
    #: By operation, group and plural: what the plugins have to do, but for those that have no part in the resource.
    _halves: dict[tuple[str, str, str], tuple[_Half, _Half]] = field(default_factory=dict)

    async def mutate(
        self,
        attributes: Attributes,
        new: Json,
        old: Json | None,
        lookup: Lookup,
        warn: Callable[[str], None] = _unheard,
        subject: Callable[[], Subject] | None = None,
    ) -> Json:
        """Run what changes the object. Raises ApiError."""
        half, _ = self._halves_of(operation_of(attributes.verb, new, old), attributes)

        async def built_in(tree: Json) -> Json:
            await self._run(half, self._review(attributes, tree, old, lookup, warn))
            return tree

        began = perf_counter()
        try:
            new = await built_in(new)
            if subject is not None and self.dynamic is not None and self.dynamic.may_mutate():
                new = await self.dynamic.mutate(subject(), new, old, warn, built_in)
        except ApiError:
            half.times.refused(perf_counter() - began)
            raise
        half.times.passed(perf_counter() - began)
        return new

    async def validate(
        self,
        attributes: Attributes,
        new: Json | None,
        old: Json | None,
        lookup: Lookup,
        warn: Callable[[str], None] = _unheard,
        subject: Callable[[], Subject] | None = None,
    ) -> None:
        """Run what only looks. Raises ApiError."""
        _, half = self._halves_of(operation_of(attributes.verb, new, old), attributes)
        began = perf_counter()
        try:
            await self._validate(half, self._review(attributes, new, old, lookup, warn), subject)
        except ApiError:
            half.times.refused(perf_counter() - began)
            raise
        half.times.passed(perf_counter() - began)

    async def _validate(self, half: _Half, review: Review, subject: Callable[[], Subject] | None) -> None:
        new, old, warn = review.new, review.old, review.warn
        await self._run(half, review)
        if subject is not None and self.dynamic is not None:
            if new is None and self.dynamic.may_mutate():
                await self.dynamic.delete(subject(), old, warn)
            if self.dynamic.may_refuse():
                await self.dynamic.validate(subject(), new, old, warn)
        if self.accounts is not None:
            await self.accounts.charge(review, self.fresh)

    async def review(self, subject: Callable[[], Subject], tree: Json, warn: Callable[[str], None]) -> Json:
        """An object that is answered and forgotten, as webhooks and policies want it. Raises ApiError."""
        dynamic = self.dynamic
        if dynamic is None or not (dynamic.may_mutate() or dynamic.may_refuse()):
            return tree
        seen = subject()
        changed = await dynamic.mutate(seen, tree, None, warn)
        await dynamic.validate(seen, changed, None, warn)
        return changed

    def _halves_of(self, operation: str, attributes: Attributes) -> tuple[_Half, _Half]:
        """What mutates and what validates a write."""
        key = (operation, attributes.group, attributes.plural)
        found = self._halves.get(key)
        if found is None:
            rows = [(plugin.name, *plugin.steps(attributes.group, attributes.plural)) for plugin in self.plugins]
            found = (
                _half("admit", operation, [(name, mutate) for name, mutate, _ in rows]),
                _half("validate", operation, [(name, validate) for name, _, validate in rows]),
            )
            if len(self._halves) < _MOST_RESOURCES:
                self._halves[key] = found
        return found

    def _review(
        self,
        attributes: Attributes,
        new: Json | None,
        old: Json | None,
        lookup: Lookup,
        warn: Callable[[str], None],
    ) -> Review:
        return Review(
            attributes=attributes,
            new=new,
            old=old,
            lookup=lookup,
            random=self.random,
            authorize=self.authorize,
            warn=warn,
        )

    async def _run(self, half: _Half, review: Review) -> None:
        try:
            _all(half, review)
        except ApiError:
            await self.fresh()
            _all(half, review)


def _half(kind: str, operation: str, steps: Sequence[tuple[str, Step]]) -> _Half:
    named = [(name, step) for name, step in steps if step is not nothing]
    names = tuple(name for name, _ in named)
    return _Half(names, tuple(step for _, step in named), StepTimes(kind, operation, names))


def _all(half: _Half, review: Review) -> None:
    """Run the plugins, and note when each has ended."""
    times = [perf_counter()]
    for step in half.steps:
        try:
            step(review)
        except ApiError:
            half.times.refused_by(half.names[len(times) - 1], perf_counter() - times[-1])
            raise
        times.append(perf_counter())
    half.times.ran(times)


def chain(
    enable: Collection[str] = (),
    disable: Collection[str] = (),
    *,
    random: dice.Random,
    authorize: Callable[[Attributes], Decision] | None = None,
    fresh: Callable[[], Awaitable[None]] = _no_wait,
    accounts: Accounts | None = None,
    dynamic: Dynamic | None = None,
) -> Chain:
    """The chain with upstream's defaults, some plugins more and some less. Raises ValueError for an unknown name."""
    check_names(enable, disable)
    chosen = [p for p in PLUGINS if (p.is_on or p.name in enable) and p.name not in disable]
    if dynamic is not None:
        dynamic = dynamic.without(
            mutating=MUTATING_WEBHOOKS in disable,
            validating=VALIDATING_WEBHOOKS in disable,
            policies=VALIDATING_POLICIES in disable,
            mutating_policies=MUTATING_POLICIES in disable,
        )
    return Chain(
        plugins=tuple(chosen),
        dynamic=dynamic,
        random=random,
        authorize=authorize,
        fresh=fresh,
        accounts=accounts if _QUOTA in chosen else None,
    )


def check_names(enable: Collection[str], disable: Collection[str]) -> None:
    """Raise ValueError for a plugin that does not exist, or is both on and off (upstream's words)."""
    known = {plugin.name for plugin in PLUGINS} | {*_DYNAMIC}
    for flag, asked in (("enable", enable), ("disable", disable)):
        for name in asked:
            if name not in known and name not in _ABSENT:
                raise ValueError(f'{flag}-admission-plugins plugin "{name}" is unknown')
    for name in enable:
        if name in _ABSENT:
            raise ValueError(f'enable-admission-plugins plugin "{name}" is not implemented by PyKube')
    if both := sorted({*enable} & {*disable}):
        shown = " ".join(both)
        raise ValueError(f"[{shown}] in enable-admission-plugins and disable-admission-plugins overlapped")

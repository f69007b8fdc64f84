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
from apiserver.admission.plugin import Plugin, Review, nothing, operation_of
from apiserver.admission.quota_accounts import Accounts
from apiserver.admission.subject import Subject
from apiserver.metrics.admission import Step
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


_ADMIT, _VALIDATE = "admit", "validate"
_Named = tuple[str, Callable[[Review], None]]


async def _no_wait() -> None:
    return None


def _unheard(_text: str) -> None:
    return None


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
    #: The steps of the plugins that have one, with their names.
    mutators: Sequence[_Named] = field(init=False)
    validators: Sequence[_Named] = field(init=False)
    steps: dict[tuple[str, str], Step] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        mutators = tuple((p.name, p.mutate) for p in self.plugins if p.mutate is not nothing)
        validators = tuple((p.name, p.validate) for p in self.plugins if p.validate is not nothing)
        object.__setattr__(self, "mutators", mutators)
        object.__setattr__(self, "validators", validators)

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
        steps = self.mutators

        async def built_in(tree: Json) -> Json:
            await self._run(steps, self._review(attributes, tree, old, lookup, warn), row)
            return tree

        operation = operation_of(attributes.verb, new, old)
        began, row = perf_counter(), self._step(_ADMIT, operation)
        try:
            new = await built_in(new)
            if subject is not None and self.dynamic is not None and self.dynamic.may_mutate():
                new = await self.dynamic.mutate(subject(), new, old, warn, built_in)
        except ApiError:
            row.refused(perf_counter() - began)
            raise
        row.passed(perf_counter() - began)
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
        began, row = perf_counter(), self._step(_VALIDATE, operation_of(attributes.verb, new, old))
        try:
            await self._validate(self._review(attributes, new, old, lookup, warn), row, subject)
        except ApiError:
            row.refused(perf_counter() - began)
            raise
        row.passed(perf_counter() - began)

    async def _validate(self, review: Review, row: Step, subject: Callable[[], Subject] | None) -> None:
        new, old, warn = review.new, review.old, review.warn
        await self._run(self.validators, review, row)
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

    async def _run(self, steps: Sequence[_Named], review: Review, row: Step) -> None:
        try:
            _all(steps, review, row)
        except ApiError:
            await self.fresh()
            _all(steps, review, row)

    def _step(self, kind: str, operation: str) -> Step:
        """Where a step of an operation is counted."""
        row = self.steps.get((kind, operation))
        if row is None:
            named = self.mutators if kind == _ADMIT else self.validators
            row = self.steps[kind, operation] = Step(kind, operation, [name for name, _ in named])
        return row


def _all(steps: Sequence[_Named], review: Review, row: Step) -> None:
    """Run the plugins, and note when each has ended."""
    times = [perf_counter()]
    for name, step in steps:
        try:
            step(review)
        except ApiError:
            row.refused_by(name, perf_counter() - times[-1])
            raise
        times.append(perf_counter())
    row.ran(times)


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

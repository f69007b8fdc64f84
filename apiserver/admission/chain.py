"""The plugins in order, and the two calls of the write path over them.

Source of the order and of what is on: pkg/kubeapiserver/options/plugins.go.
A cached read may be behind (a namespace made a moment ago): before a refusal counts, the chain waits until the cache is
fresh and runs again.
"""

import random as dice
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

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
from apiserver.admission.plugin import Plugin, Review
from apiserver.admission.quota_accounts import Accounts
from apiserver.request import Attributes, Decision, Lookup

#: Runs after all others have let the write through, since it writes itself (`Chain.accounts`).
_QUOTA = Plugin("ResourceQuota")

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


async def _no_wait() -> None:
    return None


def _unheard(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The plugins that are on. `fresh` waits until what `lookup` reads is as new as the store."""

    plugins: Sequence[Plugin]
    random: dice.Random
    authorize: Callable[[Attributes], Decision] | None = None
    fresh: Callable[[], Awaitable[None]] = field(default=_no_wait)
    accounts: Accounts | None = None

    async def mutate(
        self,
        attributes: Attributes,
        new: Json,
        old: Json | None,
        lookup: Lookup,
        warn: Callable[[str], None] = _unheard,
    ) -> Json:
        """Run the plugins that change the object. Raises ApiError."""
        review = self._review(attributes, new, old, lookup, warn)
        await self._run([plugin.mutate for plugin in self.plugins], review)
        return new

    async def validate(
        self,
        attributes: Attributes,
        new: Json | None,
        old: Json | None,
        lookup: Lookup,
        warn: Callable[[str], None] = _unheard,
    ) -> None:
        """Run the plugins that only look. Raises ApiError."""
        review = self._review(attributes, new, old, lookup, warn)
        await self._run([plugin.validate for plugin in self.plugins], review)
        if self.accounts is not None:
            await self.accounts.charge(review, self.fresh)

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

    async def _run(self, steps: Sequence[Callable[[Review], None]], review: Review) -> None:
        try:
            _all(steps, review)
        except ApiError:
            await self.fresh()
            _all(steps, review)


def _all(steps: Sequence[Callable[[Review], None]], review: Review) -> None:
    for step in steps:
        step(review)


def chain(
    enable: Collection[str] = (),
    disable: Collection[str] = (),
    *,
    random: dice.Random,
    authorize: Callable[[Attributes], Decision] | None = None,
    fresh: Callable[[], Awaitable[None]] = _no_wait,
    accounts: Accounts | None = None,
) -> Chain:
    """The chain with upstream's defaults, some plugins more and some less. Raises ValueError for an unknown name."""
    known = {plugin.name for plugin in PLUGINS}
    unknown = sorted({*enable, *disable} - known)
    if unknown:
        raise ValueError(f"unknown admission plugin: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    chosen = [each for each in PLUGINS if (each.is_on or each.name in enable) and each.name not in disable]
    return Chain(
        plugins=tuple(chosen),
        random=random,
        authorize=authorize,
        fresh=fresh,
        accounts=accounts if _QUOTA in chosen else None,
    )

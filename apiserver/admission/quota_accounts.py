"""The accounts of quotas: charged by compare-and-swap, so that no two servers give the same room away.

Runs as the very last of admission, since it writes: every quota is asked before the first is charged. Within one server
the writes of a namespace take turns, so that they do not lose races against each other.
Source: apiserver/pkg/admission/plugin/resourcequota/{controller,resource_access}.go.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from apimachinery.errors import ApiError
from apimachinery.kinds import RESOURCEQUOTAS
from apimachinery.quotas import Evaluator
from apimachinery.types import Json
from apiserver.admission import quota
from apiserver.admission.plugin import Review

#: Change the stored quota of that namespace and name; the function may run several times, and raise ApiError to refuse.
Modify = Callable[[str, str, Callable[[Json], Json]], Awaitable[object]]


@dataclass(slots=True)
class Accounts:
    """One per server. `clock` gives epoch seconds."""

    modify: Modify
    clock: Callable[[], float]
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def charge(self, review: Review, fresh: Callable[[], Awaitable[None]]) -> None:
        """Take what the write needs from every quota that is about it. Raises 403.

        `fresh` waits until what `review.lookup` reads is as new as the store: a refusal from old accounts is none.
        """
        evaluator = quota.takes(review)
        if evaluator is None or not review.lookup.list(RESOURCEQUOTAS, review.namespace):
            return
        turn = self._turns.setdefault(review.namespace, asyncio.Lock())
        async with turn:
            try:
                await self._charge(review, evaluator)
            except ApiError:
                await fresh()
                await self._charge(review, evaluator)

    async def _charge(self, review: Review, evaluator: Evaluator) -> None:
        now = self.clock()
        quotas = review.lookup.list(RESOURCEQUOTAS, review.namespace)
        changing = [each for each in quotas if quota.charged(review, evaluator, each, now) is not None]
        if review.attributes.dry_run:
            return
        for each in changing:
            try:
                await self.modify(
                    review.namespace,
                    each["metadata"]["name"],
                    lambda tree: quota.charged(review, evaluator, tree, now) or tree,
                )
            except ApiError as error:
                if error.code != 404:  # a quota that has gone meanwhile limits nothing
                    raise

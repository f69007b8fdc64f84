"""Admission that is configured through the API: webhooks and policies, in upstream's order.

Where nothing is configured a request costs two looks at a counter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from apimachinery.types import Json
from apiserver.admission.policies import Policies
from apiserver.admission.subject import Subject
from apiserver.admission.webhooks import Again, Hook, Warn, Webhooks


def _no_hooks() -> Sequence[Hook]:
    return ()


async def _as_it_is(tree: Json) -> Json:
    return tree


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The webhooks and policies of this server."""

    webhooks: Webhooks
    policies: Policies | None

    def may_mutate(self) -> bool:
        """Whether any webhook is there that could change an object."""
        return bool(self.webhooks.mutating())

    def may_refuse(self) -> bool:
        """Whether any policy or webhook is there that could refuse."""
        return bool(self.webhooks.validating()) or (self.policies is not None and self.policies.any())

    async def mutate(
        self, subject: Subject, new: Json | None, old: Json | None, warn: Warn, again: Again | None
    ) -> Json | None:
        """The object as mutating webhooks want it; `again` runs the built-in plugins over one that was changed."""
        return await self.webhooks.mutate(subject, new, old, warn, again or _as_it_is)

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Raise ApiError where a policy or a webhook refuses."""
        if self.policies is not None:
            await self.policies.validate(subject, new, old, warn)
        await self.webhooks.validate(subject, new, old, warn)

    def without(self, *, mutating: bool, validating: bool, policies: bool) -> "Dynamic":
        """The same with some parts off."""
        none: Callable[[], Sequence[Hook]] = _no_hooks
        webhooks = replace(
            self.webhooks,
            mutating=none if mutating else self.webhooks.mutating,
            validating=none if validating else self.webhooks.validating,
        )
        return Dynamic(webhooks, None if policies else self.policies)

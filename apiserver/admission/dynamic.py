"""Admission that is configured through the API: webhooks and policies, in upstream's order.

Mutating policies come before mutating webhooks. Where one of either changed the object, the built-in plugins, the
policies and the webhooks have it once more (those that asked for it): a second round, and never a third.
Where nothing is configured a request costs a few looks at a counter.
Source: apiserver/pkg/admission/reinvocation.go, pkg/kubeapiserver/options/plugins.go.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from apimachinery.types import Json
from apiserver.admission import mutating_policies, webhooks
from apiserver.admission.mutating_policies import MutatingPolicies
from apiserver.admission.policies import Policies
from apiserver.admission.subject import Subject
from apiserver.admission.webhook_source import Hook
from apiserver.admission.webhooks import Warn, Webhooks

#: Runs the built-in plugins once more over an object that was changed.
Again = Callable[[Json], Awaitable[Json]]


def _no_hooks() -> Sequence[Hook]:
    return ()


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The webhooks and policies of this server."""

    webhooks: Webhooks
    policies: Policies | None
    mutating_policies: MutatingPolicies | None = None

    def may_mutate(self) -> bool:
        """Whether any webhook or policy is there that could change an object."""
        policies = self.mutating_policies
        return bool(self.webhooks.mutating()) or (policies is not None and policies.any())

    def may_refuse(self) -> bool:
        """Whether any policy or webhook is there that could refuse."""
        return bool(self.webhooks.validating()) or (self.policies is not None and self.policies.any())

    async def mutate(
        self, subject: Subject, new: Json, old: Json | None, warn: Warn, again: Again | None = None
    ) -> Json:
        """The object as policies and webhooks want it. `again` is None for what the plugins have nothing to do with."""
        of_policies, of_webhooks = mutating_policies.Memory(), webhooks.Memory()
        for is_second in (False, True):
            is_changed = False
            if is_second and again is not None:
                new = await again(new)
            if self.mutating_policies is not None:
                new, is_changed = await self.mutating_policies.round(subject, new, old, of_policies, again=is_second)
                of_webhooks.was_patched = of_webhooks.was_patched or is_changed
            after, is_due = await self.webhooks.round(subject, new, old, warn, of_webhooks, again=is_second)
            assert after is not None
            new = after
            if not (is_changed or is_due):
                break
        return new

    async def delete(self, subject: Subject, old: Json | None, warn: Warn) -> None:
        """Show a delete to the mutating webhooks, which may refuse it. Raises ApiError."""
        await self.webhooks.round(subject, None, old, warn, webhooks.Memory(), again=False)

    async def validate(self, subject: Subject, new: Json | None, old: Json | None, warn: Warn) -> None:
        """Raise ApiError where a policy or a webhook refuses."""
        if self.policies is not None:
            await self.policies.validate(subject, new, old, warn)
        await self.webhooks.validate(subject, new, old, warn)

    def without(self, *, mutating: bool, validating: bool, policies: bool, mutating_policies: bool) -> "Dynamic":
        """The same with some parts off."""
        none: Callable[[], Sequence[Hook]] = _no_hooks
        hooks = replace(
            self.webhooks,
            mutating=none if mutating else self.webhooks.mutating,
            validating=none if validating else self.webhooks.validating,
        )
        return Dynamic(
            hooks, None if policies else self.policies, None if mutating_policies else self.mutating_policies
        )

"""Carries out a preemption: says on each victim why it goes, and deletes it; it has its own grace period.

Source: framework/preemption/preemption.go (PreemptPod).
"""

import asyncio
from collections.abc import Sequence

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.times import rfc3339
from client.client import Client
from scheduler.preemption import PREEMPTED, Preemption
from scheduler.telling import Teller
from scheduler.views import DISRUPTED, Pod


async def evict(client: Client, teller: Teller, by: Pod, preemption: Preemption, yielding: Sequence[Pod]) -> None:
    """Makes room for the pod `by`. `yielding` are less important pods that were promised the node. Raises ApiError."""
    for pod in yielding:
        await teller.give_up(pod)
    victims = [one.pod for one in preemption.victims if one.pod.metadata.deletion_timestamp is None]
    outcomes = await asyncio.gather(
        *(_evict(client, teller, by, victim, preemption.node) for victim in victims), return_exceptions=True
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _evict(client: Client, teller: Teller, by: Pod, victim: Pod, node: str) -> None:
    meta = victim.metadata
    condition = {
        "type": DISRUPTED,
        "observedGeneration": meta.generation,
        "status": "True",
        "reason": PREEMPTED,
        "message": f"{by.scheduler}: preempting to accommodate a higher priority pod",
        "lastTransitionTime": rfc3339(teller.clock()),
    }
    body = {"metadata": {"uid": meta.uid}, "status": {"conditions": [condition]}}
    try:
        await client.patch(PODS, meta.namespace, meta.name, body, type="strategic", subresource="status")
        await client.delete(PODS, meta.namespace, meta.name, uid=meta.uid)
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):  # Conflict: a namesake has taken its place
            raise
    else:
        teller.preempted(victim, by, node)

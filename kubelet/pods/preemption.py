"""A critical pod is not refused for want of resources: others go for it. Pure.

Who goes: as few pods as will do, of the least quality of service first, and of these the ones whose requests come
closest to what is missing. Other reasons against the pod stand: nobody goes for a pod that could not be taken anyhow.
Source: pkg/kubelet/preemption/preemption.go, pkg/kubelet/types/pod_update.go.
"""

from collections.abc import Iterable, Mapping, Sequence

from apimachinery.objects.core_v1 import Pod
from kubelet.eviction.ranking import is_critical
from kubelet.pods.admit import Terms, asked, objections
from kubelet.pods.qos import qos_class
from kubelet.pods.world import Preemption, Verdict

REASON, MESSAGE = "Preempting", "Preempted in order to admit critical pod"
DISRUPTION = "Pod was preempted by Kubelet to accommodate a critical pod."
_WEIGHED = ("memory", "cpu")

Missing = Mapping[str, int]  # resource -> how much of it is not there


class NoVictims(Exception):
    """Nobody who may be ended holds enough; the message is upstream's."""


def judge(pod: Pod, others: Iterable[Pod], terms: Terms) -> Verdict | Preemption | None:
    """Why a new pod cannot be here; or who has to go for it; or None: there is room."""
    known = list(others)
    against = list(objections(pod, known, terms))
    if is_critical(pod):
        against = [one for one in against if not one.resource] or against
    if not against:
        return None
    first = against[0]
    if not is_critical(pod) or not first.resource:
        return Verdict(first.reason, first.message, rejected=True)
    missing = {one.resource: one.missing for one in against}
    try:
        return Preemption(tuple(victims(pod, known, missing)), next(iter(missing)))
    except NoVictims as error:
        why = f"preemption: error finding a set of pods to preempt: {error}"
        text = f"Unexpected error while attempting to recover from admission failure: {why}"
        return Verdict("UnexpectedAdmissionError", text, rejected=True)


def victims(pod: Pod, others: Sequence[Pod], missing: Missing) -> list[Pod]:
    """The pods that have to go. Raises NoVictims."""
    may = [other for other in others if is_preemptable(pod, other)]
    effort, burst, sure = (
        [other for other in may if qos_class(other) == quality] for quality in ("BestEffort", "Burstable", "Guaranteed")
    )
    if without := _left(missing, may):
        raise _nobody(without)
    # Of each class only what the others cannot give: all of the lesser ones, and what was chosen of the greater.
    of_sure = _closest(sure, _left(missing, [*effort, *burst]))
    of_burst = _closest(burst, _left(missing, [*effort, *of_sure]))
    return [*_closest(effort, _left(missing, [*of_burst, *of_sure])), *of_burst, *of_sure]


def is_preemptable(pod: Pod, other: Pod) -> bool:
    """Whether the other may go for the pod."""
    if is_critical(pod) and not is_critical(other):
        return True
    mine, theirs = pod.spec.priority, other.spec.priority
    return mine is not None and theirs is not None and mine > theirs


def _closest(pods: Sequence[Pod], missing: Missing) -> list[Pod]:
    """One after the other the pod that leaves the least missing, the smaller one of two that leave as much."""
    left, chosen = list(pods), list[Pod]()
    while missing:
        if not left:
            raise _nobody(missing)
        best = min(left, key=lambda other: (_distance(other, missing), *(asked(other, name) for name in _WEIGHED)))
        left.remove(best)
        chosen.append(best)
        missing = _left(missing, [best])
    return chosen


def _distance(pod: Pod, missing: Missing) -> float:
    """How much would still be missing: the sum of the squares of its shares."""
    return sum((max(amount - asked(pod, name), 0) / amount) ** 2 for name, amount in missing.items())


def _left(missing: Missing, gone: Sequence[Pod]) -> dict[str, int]:
    left = {name: amount - sum(asked(pod, name) for pod in gone) for name, amount in missing.items()}
    return {name: amount for name, amount in left.items() if amount > 0}


def _nobody(missing: Missing) -> NoVictims:
    rows = "".join(f"(res: {name}, q: {amount}), " for name, amount in missing.items())
    return NoVictims(f"no set of running pods found to reclaim resources: [{rows}]")

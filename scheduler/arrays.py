"""The two values that decide a placement: all nodes as columns, and the pod to place as a row of the same columns.

Strings become small integers in the snapshot (state.py), so that a filter is a few vector operations whatever the
number of nodes. Nothing here is ever modified by a plugin; `supposing` gives another snapshot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from apimachinery.objects.core_v1 import NodeSelectorTerm, PreferredSchedulingTerm
from scheduler.census import Change, Counts, Supposed
from scheduler.columns import Domains, Ints, Mask, Taint, Vector
from scheduler.placed import HostPort
from scheduler.terms import NONE, Constraint, Question, Term, Terms
from scheduler.views import Pod

__all__ = ["Domains", "Ints", "Mask", "Nodes", "PodRow", "Taint", "Vector"]


@dataclass(frozen=True, slots=True)
class Nodes:
    """A snapshot of all nodes, one row each. Quantities are integers in base units."""

    names: tuple[str, ...]
    resources: tuple[str, ...]
    allocatable: Ints  # [node, resource]
    requested: Ints  # [node, resource], by the pods already there and those assumed
    scored: Ints  # [node, (cpu, memory)], requested with the defaults of pods that say nothing
    unschedulable: Mask  # [node]
    taints: tuple[Taint, ...]
    tainted: Mask  # [node, taint]; NoSchedule and NoExecute
    tainted_softly: Mask  # [node, taint]; PreferNoSchedule
    #: (host address, protocol, port) in use -> how many pods have it, [node]
    ports: Mapping[HostPort, Ints]
    #: a label selector's requirement -> the nodes that meet it
    labelled: Callable[[str, str, tuple[str, ...]], Mask]
    #: metadata.name requirements -> the nodes that meet them
    named: Callable[[str, tuple[str, ...]], Mask]
    #: a topology key -> which of its domains each node is in
    domains: Callable[[str], Domains]
    #: an image's name -> its size on each node, 0 where it is not
    images: Callable[[str], Ints]
    #: who is where
    census: Counts

    def __len__(self) -> int:
        return len(self.names)

    def supposing(self, changes: Sequence[Change]) -> "Nodes":
        """The snapshot as it would be for filters, were these pods there, or gone."""
        requested, ports = self.requested.copy(), dict(self.ports)
        column = {resource: index for index, resource in enumerate(self.resources)}
        for row, placed, sign in changes:
            for resource, value in placed.amounts.items():
                if resource in column:
                    requested[row, column[resource]] += sign * value
            for port in placed.ports:
                used = ports[port].copy() if port in ports else np.zeros(len(self), np.int64)
                used[row] += sign
                ports[port] = used
        return replace(self, requested=requested, ports=ports, census=Supposed(self.census, len(self), changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """The same columns for the pod to place."""

    pod: Pod
    requests: Ints  # [resource]
    #: resources asked for that no node has: nothing fits
    unknown: tuple[str, ...] = ()
    scored: Ints  # [(cpu, memory)]
    tolerates: Mask  # [taint]; the pod is not kept away by it
    minds: Mask  # [taint]; PreferNoSchedule taints the pod does not tolerate
    tolerates_unschedulable: bool = False
    ports: tuple[HostPort, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    #: None: no required affinity; otherwise any of the terms must match
    required: tuple[NodeSelectorTerm, ...] | None = None
    preferred: tuple[PreferredSchedulingTerm, ...] = ()
    #: of the pod's namespace
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    #: about other pods, and the same with their namespaces looked up
    terms: Terms = NONE
    near: Question | None = None  # the pods that are all that its required affinity asks for
    apart: tuple[tuple[Question, str], ...] = ()  # with the topology key
    drawn: tuple[tuple[Question, Term], ...] = ()  # preferred terms
    hard: tuple[Constraint, ...] = ()
    soft: tuple[Constraint, ...] = ()
    #: the soft constraints are the scheduler's own, not the pod's
    soft_by_default: bool = False

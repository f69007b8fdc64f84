"""The two values that decide a placement: all nodes as columns, and the pod to place as a row of the same columns.

Strings become small integers in the snapshot (state.py), so that a filter is a few vector operations whatever the
number of nodes. Nothing here is ever modified by a plugin.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from apimachinery.objects.core_v1 import NodeSelectorTerm, PreferredSchedulingTerm
from scheduler.views import Pod

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint as a column."""

    key: str
    value: str
    effect: str


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
    #: (host address, protocol, port) in use -> its nodes
    ports: Mapping[tuple[str, str, int], Mask]
    #: a label selector's requirement -> the nodes that meet it
    labelled: Callable[[str, str, tuple[str, ...]], Mask]
    #: metadata.name requirements -> the nodes that meet them
    named: Callable[[str, tuple[str, ...]], Mask]

    def __len__(self) -> int:
        return len(self.names)


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
    ports: tuple[tuple[str, str, int], ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    #: None: no required affinity; otherwise any of the terms must match
    required: tuple[NodeSelectorTerm, ...] | None = None
    preferred: tuple[PreferredSchedulingTerm, ...] = ()

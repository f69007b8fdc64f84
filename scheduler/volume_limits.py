"""How many volumes of a storage driver a node takes (CSINode): a pod that would bring one too many goes elsewhere.

Volumes count once however many pods use them; those that are attached and used by no pod any more count, too. A claim
without a volume counts for its class's provisioner. Source: plugins/nodevolumelimits/csi.go.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scheduler.arrays import Mask, Nodes, PodRow
from scheduler.events import Change
from scheduler.filters import Filter, everywhere
from scheduler.views import Pod

#: A volume's unique name -> its driver.
Handles = Mapping[str, str]


@dataclass(frozen=True)
class NodeVolumeLimits(Filter):
    """The filter for one pod that brings the volumes `wanted`."""

    wanted: Handles
    limits: Mapping[str, Mapping[str, int]]  # of each node and driver
    attached: Mapping[str, Handles]  # to each node
    of: Callable[[Pod], Handles]  # the volumes of a pod that is there

    counts_pods = True
    helped_by = frozenset({Change.NODE_ADDED, Change.POD_REMOVED, Change.VOLUMES})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:  # noqa: ARG002 - a filter's shape
        fits = everywhere(nodes)
        for row, name in enumerate(nodes.names):
            if limits := self.limits.get(name):
                fits[row] = self._takes(nodes, row, limits, self.attached.get(name, {}))
        return fits

    def _takes(self, nodes: Nodes, row: int, limits: Mapping[str, int], attached: Handles) -> bool:
        used: dict[str, str] = {}
        for one in nodes.census.pods(row):
            if one.claims:
                used |= self.of(one.pod)
        new = Counter(driver for volume, driver in self.wanted.items() if volume not in used)
        there = Counter((dict(attached) | used).values())
        return all(there[driver] + count <= limits[driver] for driver, count in new.items() if driver in limits)

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return {"node(s) exceed max volume count": int(np.count_nonzero(rejected))}

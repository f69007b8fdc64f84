"""The node speaks: registers itself, renews its Lease, tells its status.

Every 10 s (unless it is configured otherwise): the Lease; the status when something has changed, or 5 minutes after
the last time. What it says is made
in node_status.py. Source: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/util/nodelease.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import LEASES, NODES
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Node
from apimachinery.types import Json
from client.client import Client
from client.events import EventRecorder
from kubelet import node_status
from kubelet.configuration import Configuration
from kubelet.node_status import NodeFacts
from kubelet.waiting import heard

log = structlog.get_logger("kubelet.node")

_LEASE_NAMESPACE = "kube-node-lease"
_RETRY = 1.0


class NodeReporter:
    """Keeps the Node object and its Lease true. `facts` looks at the machine each time."""

    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        facts: Callable[[], Awaitable[NodeFacts]],
        *,
        clock: Callable[[], float],
        current: Callable[[], Node | None],
        configuration: Configuration,
    ) -> None:
        self._client, self._recorder, self._facts, self._clock = client, recorder, facts, clock
        self._current, self._configuration = current, configuration
        self._node: Node | None = None
        self._last: Json | None = None
        self._reported_at = 0.0
        self._news = asyncio.Event()
        self.registered = asyncio.Event()

    def report(self) -> None:
        """Something has changed: do not wait for the next round."""
        self._news.set()

    def event(self, name: str, type: str, reason: str, message: str) -> None:
        regarding = {"kind": "Node", "apiVersion": "v1", "name": name, "uid": name}
        self._recorder.event(regarding, type, reason, message)

    async def run(self) -> None:
        """Forever."""
        await self._register()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._report_status())
            tasks.create_task(self._renew_lease())

    async def _register(self) -> None:
        facts = await self._facts()
        self.event(facts.name, "Normal", "Starting", "Starting kubelet.")
        if not self._configuration.register_node:
            await self._await_registration(facts.name)
            return
        while True:
            try:
                self._node = view(await self._registered(facts), Node)
                break
            except ApiError as error:
                log.warning("cannot register the node", error=error.message)
                await asyncio.sleep(_RETRY)
        log.info("registered", node=facts.name)
        self.registered.set()

    async def _await_registration(self, name: str) -> None:
        """Somebody else makes the Node object."""
        while self._current() is None:
            await asyncio.sleep(_RETRY)
        self._node = self._current()
        log.info("registered by somebody else", node=name)
        self.registered.set()

    async def _registered(self, facts: NodeFacts) -> Json:
        """The Node object: a new one, or the one that is there with our labels on it."""
        body = node_status.node(facts, self._clock())
        try:
            return await self._client.create(NODES, body)
        except ApiError as error:
            if error.code != 409:
                raise
        meta = {"labels": body["metadata"]["labels"], "annotations": body["metadata"]["annotations"]}
        return await self._client.patch(NODES, "", facts.name, {"metadata": meta}, type="strategic")

    async def _report_status(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._tell(await self._facts())
                pause = self._configuration.node_status_update_frequency
            except ApiError as error:
                log.warning("cannot tell the node's status", error=error.message)
                if error.code == 404:  # somebody deleted the Node: be there again
                    await self._register()
                pause = _RETRY
            await heard(self._news, pause)

    async def _tell(self, facts: NodeFacts) -> None:
        now, before = self._clock(), self._current() or self._node
        status = node_status.status(facts, before, now)
        late = now - self._reported_at >= self._configuration.node_status_report_frequency
        if self._last is not None and not node_status.differs(self._last, status) and not late:
            return
        if before is not None and node_status.rebooted(before, facts.machine):
            message = f"Node {facts.name} has been rebooted, boot id: {facts.machine.boot_id}"
            self.event(facts.name, "Warning", "Rebooted", message)
        answer = await self._client.patch(
            NODES, "", facts.name, {"status": status}, type="strategic", subresource="status"
        )
        for reason in node_status.transitions(self._last, status):
            self.event(facts.name, "Normal", reason, f"Node {facts.name} status is now: {reason}")
        self._node, self._last, self._reported_at = view(answer, Node), status, now

    async def _renew_lease(self) -> None:
        while True:
            pause = self._configuration.node_lease_duration_seconds / 4
            try:
                await self._renew()
            except ApiError as error:
                log.warning("cannot renew the node's lease", error=error.message)
                pause = _RETRY
            await asyncio.sleep(pause)

    async def _renew(self) -> None:
        assert self._node is not None
        meta = self._node.metadata
        spec = {
            "holderIdentity": meta.name,
            "leaseDurationSeconds": self._configuration.node_lease_duration_seconds,
            "renewTime": times.rfc3339_micro(self._clock()),
        }
        try:
            await self._client.patch(LEASES, _LEASE_NAMESPACE, meta.name, {"spec": spec})
        except ApiError as error:
            if error.code != 404:
                raise
            owner = {"apiVersion": "v1", "kind": "Node", "name": meta.name, "uid": meta.uid}
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": meta.name, "namespace": _LEASE_NAMESPACE, "ownerReferences": [owner]},
                "spec": spec,
            }
            await self._client.create(LEASES, body)

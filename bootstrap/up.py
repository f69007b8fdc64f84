"""Makes a cluster, or mends one: every step looks at what is there and does the rest, so it may be killed anywhere.

Steps: preflight, Docker, certificates, processes, API, add-ons, node, kubeconfig. Nothing here knows what the processes
do; it waits for them by their health.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import NODES, Kind
from apimachinery.types import Json
from bootstrap import addons, docker_engine, kubeconfig, kubelet_configuration, pki, preflight, supervisor
from bootstrap.processes import processes
from bootstrap.progress import Progress
from bootstrap.spec import ClusterSpec, host_address, host_name
from bootstrap.tenants import MACHINE
from client.client import Client
from client.config import load_kubeconfig

T = TypeVar("T")
READY_WITHIN = 60.0
POLL = 0.05


class Failed(Exception):
    """The cluster cannot be made; the text says why and what to do."""


def completed(spec: ClusterSpec) -> ClusterSpec:
    """The spec with what is left open taken from the machine."""
    return msgspec.structs.replace(
        spec, node_name=spec.node_name or host_name(), node_ip=spec.node_ip or host_address()
    )


def is_running(spec: ClusterSpec) -> bool:
    """Whether a supervisor keeps this cluster."""
    return supervisor.is_alive(supervisor.recorded(spec.run, "supervisor"))


def client(spec: ClusterSpec) -> Client:
    """A client with the admin's rights."""
    return Client(load_kubeconfig(str(kubeconfig.path(spec, "admin"))), user_agent="pykubeadm")


async def up(spec: ClusterSpec, progress: Progress) -> bool:
    """Brings the cluster to where it serves; says whether it was there already."""
    was_running = is_running(spec)
    if not was_running:
        _check(spec)
    kubelet_configuration.check(spec)
    MACHINE.enter(spec)
    with progress.step("Docker Engine") as step:
        step.result = await docker_engine.ensure(spec)
    with progress.step("Certificates and keys"):
        pki.ensure(spec, datetime.now(UTC))
        kubeconfig.write_components(spec)
        kubelet_configuration.write(spec)
    with progress.step("etcd and the control plane") as step:
        supervisor.launch(spec.root, processes(spec, preflight.etcd_binary()))
        step.result = await wait_api(spec)
    if kubelet_configuration.is_news(spec):
        with progress.step("kubelet with its new configuration"):
            await restart_kubelet(spec)
    async with client(spec) as api:
        with progress.step("DNS service and roles"):
            await install_addons(spec, api)
        with progress.step(f"Node {spec.node_name}") as step:
            step.result = await wait_node(spec, api)
    with progress.step("kubeconfig") as step:
        kubeconfig.merge(spec, kubeconfig.user_file())
        step.result = f"context {spec.context} in {kubeconfig.user_file()}"
    return was_running


def _check(spec: ClusterSpec) -> None:
    # what an interrupted run left may hold our ports: a dead supervisor's processes are adopted, not in the way
    ours = any(supervisor.is_alive(supervisor.recorded(spec.run, file.stem)) for file in spec.run.glob("*.json"))
    facts = preflight.facts(spec)
    if ours:
        facts = replace(facts, taken_ports={})
    if found := preflight.problems(spec, facts):
        raise Failed("\n".join(found))


async def wait_api(spec: ClusterSpec) -> str:
    """Waits until the API server says it is ready; the server's URL."""
    async with client(spec) as api:

        async def ready() -> str | None:
            try:
                await api.request("GET", "/readyz")
            except (ApiError, httpx.TransportError):
                return None
            return spec.server

        return await until(ready, READY_WITHIN, lambda: _why(spec, ("apiserver", "etcd")))


async def restart_kubelet(spec: ClusterSpec) -> None:
    """Ends the kubelet, and waits until the supervisor has another one serve. No container notices."""
    (process,) = (process for process in processes(spec, "") if process.name == "kubelet")
    await supervisor.stop(supervisor.recorded(spec.run, process.name))

    async def serves() -> bool | None:
        return True if not kubelet_configuration.is_news(spec) and await supervisor.serves(process.health) else None

    await until(serves, READY_WITHIN, lambda: _why(spec, ("kubelet",)))


async def install_addons(spec: ClusterSpec, api: Client) -> None:
    """Creates what is missing of the add-ons; what is there stays as the user left it."""
    refused = None
    try:
        async with asyncio.TaskGroup() as tasks:
            for kind, body in addons.objects(spec):
                tasks.create_task(_install(api, kind, body))
    except* ApiError as group:
        refused = group.exceptions[0]
    if refused is not None:  # not in the handler: Python 3.11.2 wraps in a group what is raised there (gh-103590)
        raise refused


async def _install(api: Client, kind: Kind, body: Json) -> None:
    metadata = body["metadata"]
    try:  # asked first: a second create of a Service fails for its address, not for its name
        await api.get(kind, metadata.get("namespace", ""), metadata["name"])
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        await api.create(kind, body)


async def wait_node(spec: ClusterSpec, api: Client) -> str:
    """Waits until this machine's node is Ready; its version and address."""

    async def ready() -> str | None:
        try:
            node = await api.get(NODES, "", spec.node_name)
        except ApiError:
            return None
        conditions = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", ())}
        return spec.node_ip if conditions.get("Ready") == "True" else None

    return await until(ready, READY_WITHIN, lambda: _why(spec, ("kubelet", "controllers")))


async def until(ask: Callable[[], Awaitable[T | None]], seconds: float, why: Callable[[], str]) -> T:
    """Asks until there is an answer; Failed with `why()` after `seconds`."""
    deadline = time.monotonic() + seconds
    while (answer := await ask()) is None:
        if time.monotonic() > deadline:
            raise Failed(why())
        await asyncio.sleep(POLL)
    return answer


def _why(spec: ClusterSpec, components: tuple[str, ...]) -> str:
    """The last words of the components that should have served by now."""
    lines = [f"It did not come up within {READY_WITHIN:.0f} s. The last lines of the logs:"]
    for component in components:
        log = spec.logs / f"{component}.log"
        text = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else ["(no log)"]
        lines += [f"  {component}: {line}" for line in text]
    lines.append(f"More with 'pykubeadm logs {components[0]}'; 'make down' takes everything away.")
    return "\n".join(lines)


async def health(spec: ClusterSpec) -> Mapping[str, str]:
    """What each process says of itself: "ok", "running" (no health endpoint) or what is wrong."""
    states = {}
    async with httpx.AsyncClient(verify=False, timeout=2) as http:
        for process in processes(spec, preflight.etcd_binary()):
            running = supervisor.recorded(spec.run, process.name)
            if not supervisor.is_alive(running):
                states[process.name] = "not running"
                continue
            assert running is not None
            states[process.name] = f"pid {running.pid}"
            if process.health:
                try:
                    answer = await http.get(process.health)
                    states[process.name] += "  ok" if answer.status_code == 200 else f"  HTTP {answer.status_code}"
                except httpx.TransportError as error:
                    states[process.name] += f"  not serving: {error}"
    return states

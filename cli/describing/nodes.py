"""`describe node`: what a node is, what runs on it, what is left of it."""

from decimal import Decimal

from apimachinery.errors import ApiError
from apimachinery.kinds import LEASES, PODS
from apimachinery.quantity import parse
from apimachinery.types import Json
from cli.describing.writer import Writer, age, annotation_lines, boolean, labels_lines, rfc1123
from cli.session import Session

_ROLE = "node-role.kubernetes.io/"
_STANDARD = ("cpu", "memory", "ephemeral-storage")


async def node(session: Session, tree: Json, writer: Writer) -> bool:
    """A node with its pods."""
    metadata, spec, status = tree["metadata"], tree.get("spec") or {}, tree.get("status") or {}
    name = metadata["name"]
    labels = metadata.get("labels") or {}
    roles = sorted({key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)})
    writer.line(f"Name:\t{name}")
    writer.line(f"Roles:\t{','.join(roles) or '<none>'}")
    labels_lines(writer, "Labels", labels)
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    writer.line(f"CreationTimestamp:\t{rfc1123(metadata['creationTimestamp'])}")
    taints = [_taint(each) for each in spec.get("taints") or ()]
    for i, text in enumerate(sorted(taints) or ["<none>"]):
        writer.line(f"{'Taints:' if i == 0 else ''}\t{text}")
    writer.line(f"Unschedulable:\t{boolean(spec.get('unschedulable'))}")
    await _lease(session, name, writer)
    _conditions(writer, status.get("conditions") or [])
    writer.line("Addresses:")
    for each in status.get("addresses") or ():
        writer.write(1, f"{each['type']}:\t{each['address']}\n")
    for key in ("capacity", "allocatable"):
        if status.get(key):
            writer.line(f"{key.capitalize()}:")
            for resource in sorted(status[key]):
                writer.line(f"  {resource}:\t{status[key][resource]}")
    _info(writer, status.get("nodeInfo") or {})
    if spec.get("podCIDR"):
        writer.line(f"PodCIDR:\t{spec['podCIDR']}")
    if spec.get("podCIDRs"):
        writer.line(f"PodCIDRs:\t{','.join(spec['podCIDRs'])}")
    if spec.get("providerID"):
        writer.line(f"ProviderID:\t{spec['providerID']}")
    query = {"fieldSelector": f"spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"}
    _pods(writer, (await session.get_json(PODS.path(), query))["items"], status)
    return True


def _taint(each: Json) -> str:
    value = f"={each['value']}" if each.get("value") else ""
    return f"{each['key']}{value}:{each['effect']}"


async def _lease(session: Session, name: str, writer: Writer) -> None:
    try:
        lease = await session.get_json(LEASES.path("kube-node-lease", name))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        writer.line(f'Lease:\tFailed to get lease: leases.coordination.k8s.io "{name}" not found')
        return
    spec = lease["spec"]
    writer.line("Lease:")
    writer.write(1, f"HolderIdentity:\t{spec.get('holderIdentity') or '<unset>'}\n")
    for title, key in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        writer.write(1, f"{title}:\t{rfc1123(spec[key]) if spec.get(key) else '<unset>'}\n")


def _conditions(writer: Writer, conditions: list[Json]) -> None:
    if not conditions:
        return
    writer.line("Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage")
    writer.write(1, "----\t------\t-----------------\t------------------\t------\t-------\n")
    for each in conditions:
        times = f"{rfc1123(each.get('lastHeartbeatTime'))} \t{rfc1123(each.get('lastTransitionTime'))}"
        writer.write(
            1, f"{each['type']} \t{each['status']} \t{times} \t{each.get('reason', '')} \t{each.get('message', '')}\n"
        )


def _info(writer: Writer, info: Json) -> None:
    writer.line("System Info:")
    for title, key in (
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ):
        writer.write(1, f"{title}:\t{info.get(key, '')}\n")


def usage(pod: Json, which: str) -> dict[str, Decimal]:
    """What a pod asks for: its containers together, or its greediest init container, and its overhead."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers") or ():
        for name, text in ((container.get("resources") or {}).get(which) or {}).items():
            total[name] = total.get(name, Decimal(0)) + _amount(text)
    for container in pod["spec"].get("initContainers") or ():
        for name, text in ((container.get("resources") or {}).get(which) or {}).items():
            always = container.get("restartPolicy") == "Always"
            amount = _amount(text)
            total[name] = total.get(name, Decimal(0)) + amount if always else max(total.get(name, Decimal(0)), amount)
    for name, text in (pod["spec"].get("overhead") or {}).items():
        if which == "requests" or name in total:
            total[name] = total.get(name, Decimal(0)) + _amount(text)
    return total


def _amount(text: str) -> Decimal:
    return Decimal(parse(text).milli()) / 1000


def _pods(writer: Writer, pods: list[Json], status: Json) -> None:
    writer.line(f"Non-terminated Pods:\t({len(pods)} in total)")
    writer.write(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge\n")
    writer.write(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---\n")
    allocatable = status.get("allocatable") or status.get("capacity") or {}
    room = {name: _amount(text) for name, text in allocatable.items()}
    sums: dict[str, dict[str, Decimal]] = {"requests": {}, "limits": {}}
    for pod in pods:
        cells = []
        for name in ("cpu", "memory"):
            for which in sums:
                amount = usage(pod, which).get(name, Decimal(0))
                cells.append(f"{_shown(name, amount)} ({_percent(amount, room.get(name))}%)")
        metadata = pod["metadata"]
        row = "\t".join([metadata["namespace"], metadata["name"], "", *cells, age(metadata.get("creationTimestamp"))])
        writer.write(1, row + "\n")
        for which, total in sums.items():
            for name, amount in usage(pod, which).items():
                total[name] = total.get(name, Decimal(0)) + amount
    writer.line("Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)")
    writer.write(1, "Resource\tRequests\tLimits\n")
    writer.write(1, "--------\t--------\t------\n")
    hugepages = sorted(name for name in room if name.startswith("hugepages-"))
    for name in (*_STANDARD, *hugepages):
        cells = [
            f"{_shown(name, sums[which].get(name, Decimal(0)))} "
            f"({_percent(sums[which].get(name, Decimal(0)), room.get(name))}%)"
            for which in sums
        ]
        writer.write(1, "\t".join([name, *cells]) + "\n")
    for name in sorted(set(room) - {*_STANDARD, *hugepages, "pods"}):
        cells = [_shown(name, sums[which].get(name, Decimal(0))) for which in sums]
        writer.write(1, "\t".join([name, *cells]) + "\n")


def _percent(amount: Decimal, room: Decimal | None) -> int:
    return int(amount / room * 100) if room else 0


def _shown(name: str, amount: Decimal) -> str:
    """A quantity in the form that its sums have: cores in thousandths, bytes in powers of 1024 where they are."""
    if name == "cpu":
        milli = int(amount * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    number = int(amount)
    for unit, factor in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)

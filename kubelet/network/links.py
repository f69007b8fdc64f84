"""Links, addresses and routes, by netlink: the blocking half of the bridge network, called in threads.

A sandbox's namespace is entered by a thread of its own, which then ends: a thread's namespace cannot leak into others.
Every function makes its state true whatever was there before.
"""

import hashlib
import ipaddress
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from pyroute2 import netns
from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from kubelet.network.ipam import gateway
from kubelet.network.protocol import NetworkError

_EXISTS, _GONE, _NO_ROUTE = 17, 19, 3
_DEFAULT_MTU = 1500


def veth_name(sandbox_id: str) -> str:
    """The node's end of a sandbox's cable: 15 characters at most."""
    return "veth" + hashlib.sha256(sandbox_id.encode()).hexdigest()[:8]


def _index(ip: Any, name: str) -> int | None:
    found = ip.link_lookup(ifname=name)
    return int(found[0]) if found else None


def uplink_mtu(ip: Any) -> int:
    """The MTU of the link that the default route takes."""
    for route in ip.get_default_routes(family=2):
        for link in ip.get_links(route.get_attr("RTA_OIF")):
            return int(link.get_attr("IFLA_MTU"))
    return _DEFAULT_MTU


def ensure_bridge(bridge: str, pod_cidr: str, owner: str) -> int:
    """The bridge, up, with the CIDR's first address and no other; its MTU. `owner` is what `ip link` says of it."""
    own, length = gateway(pod_cidr), ipaddress.ip_network(pod_cidr).prefixlen
    with IPRoute() as ip:
        mtu = uplink_mtu(ip)
        if _index(ip, bridge) is None:
            # A fixed hardware address: the bridge would else take over, and change with, one of its ports'.
            mac = "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(own).packed[-4:])
            ip.link("add", ifname=bridge, kind="bridge", address=mac)
        index = _index(ip, bridge)
        ip.link("set", index=index, state="up", mtu=mtu, ifalias=owner)
        for held in ip.get_addr(index=index, family=2):
            if held.get_attr("IFA_ADDRESS") != own:
                ip.addr("del", index=index, address=held.get_attr("IFA_ADDRESS"), prefixlen=held["prefixlen"])
        try:
            ip.addr("add", index=index, address=own, prefixlen=length)
        except NetlinkError as error:
            if error.code != _EXISTS:
                raise
        return mtu


def connect(bridge: str, sandbox_id: str, pid: int, address: str, pod_cidr: str, mtu: int) -> None:
    """A cable from the bridge into the sandbox, where it is eth0 with the address and the default route."""
    name = veth_name(sandbox_id)
    try:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    except FileNotFoundError as error:
        raise NetworkError("the sandbox ended before it was connected") from error
    try:
        if os.path.samestat(os.fstat(namespace), os.stat("/proc/self/ns/net")):  # noqa: PTH116
            raise NetworkError("the sandbox has no network namespace of its own")  # its eth0 would be the machine's
        with IPRoute() as ip:
            stale = _index(ip, name)
            if stale is not None:
                ip.link("del", index=stale)
            peer = {"ifname": "eth0", "net_ns_fd": namespace, "mtu": mtu}
            _in_namespace(namespace, _drop_eth0)
            ip.link("add", ifname=name, kind="veth", mtu=mtu, peer=peer)
            index, master = _index(ip, name), _index(ip, bridge)
            ip.link("set", index=index, master=master)
            ip.brport("set", index=index, mode=1)  # hairpin: a pod reaches itself through its own Service
            ip.link("set", index=index, state="up")
        _in_namespace(namespace, lambda ip: _configure(ip, address, pod_cidr))
    except NetlinkError as error:
        raise NetworkError(f"cannot connect the sandbox: {error}") from error
    finally:
        os.close(namespace)


def _drop_eth0(ip: Any) -> None:
    index = _index(ip, "eth0")
    if index is not None:
        ip.link("del", index=index)


def _configure(ip: Any, address: str, pod_cidr: str) -> None:
    ip.link("set", index=_index(ip, "lo"), state="up")
    index = _index(ip, "eth0")
    ip.addr("add", index=index, address=address, prefixlen=ipaddress.ip_network(pod_cidr).prefixlen)
    ip.link("set", index=index, state="up")
    ip.route("add", dst="default", gateway=gateway(pod_cidr))


def _in_namespace(namespace: int, work: Callable[[Any], None]) -> None:
    """Do it in the namespace, in a thread that exists for this alone."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            netns.setns(namespace)
            with IPRoute() as ip:
                work(ip)
        except (NetlinkError, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def disconnect(sandbox_id: str) -> None:
    """Pull the cable; both ends go with either."""
    with IPRoute() as ip:
        index = _index(ip, veth_name(sandbox_id))
        if index is None:
            return
        try:
            ip.link("del", index=index)
        except NetlinkError as error:
            if error.code != _GONE:
                raise


def remove_bridge(bridge: str) -> None:
    """The bridge and every cable that is still plugged into it."""
    with IPRoute() as ip:
        index = _index(ip, bridge)
        if index is None:
            return
        for link in ip.get_links():
            if link.get_attr("IFLA_MASTER") == index:
                ip.link("del", index=link["index"])
        ip.link("del", index=index)


def replace_routes(wanted: dict[str, str], record: Path) -> None:
    """Exactly these routes of ours: what we set before (it is written down) and do not want any more goes."""
    before = recorded_routes(record)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_bytes(msgspec.json.encode(before | wanted))  # first the note, then the deed
    with IPRoute() as ip:
        for cidr in before.keys() - wanted.keys():
            try:
                ip.route("del", dst=cidr)
            except NetlinkError as error:
                if error.code != _NO_ROUTE:
                    raise
        for cidr, via in wanted.items():
            ip.route("replace", dst=cidr, gateway=via)
    record.write_bytes(msgspec.json.encode(wanted))


def recorded_routes(record: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(record.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}

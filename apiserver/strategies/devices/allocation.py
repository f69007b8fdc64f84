"""What a claim got: the allocation, who uses it, and what drivers say of its devices.

Source: pkg/apis/resource/validation/validation.go (validateResourceClaimStatusUpdate and below).
"""

import ipaddress
import re

from apimachinery.errors import Pointed, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.conditions import check as conditions
from apiserver.strategies.devices.parts import (
    MOST_REQUESTS,
    any_object,
    configuration,
    distinct,
    driver_name,
    limited,
    pool_name,
)
from apiserver.strategies.devices.requests import MOST_CONFIGURATIONS, Names, names_of, request_name, request_names
from apiserver.strategies.pod.placement import node_selector
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    dns_label,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
    too_long,
    too_many,
)

_MOST_USERS = 256
_MOST_CONDITIONS = 8
_LARGEST_DATA = 10 * 1024
_LONGEST_INTERFACE, _LONGEST_HARDWARE = 256, 128
_MOST_ADDRESSES = 16
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_ADDRESS = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
_LEADING_ZEROS = re.compile(r"(?<![\d:a-fA-F])0+(?=\d)")

#: How upstream shows which device it is: what its parts say does not come out.
_HIDDEN = go_struct(Driver={}, Pool={}, Device={}, ShareID={})
#: Driver, pool, device and share.
Device = tuple[str, str, str, str]


def device_of(tree: Json) -> Device:
    """Which device a result or a status is about."""
    return (tree.get("driver") or "", tree.get("pool") or "", tree.get("device") or "", tree.get("shareID") or "")


def allocated(status: Json) -> set[Device]:
    """The devices of an allocation."""
    results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or ()
    return set(map(device_of, results))


def claim_status(new: Json, old: Json) -> Problems:
    """The status of a claim, which was another before."""
    now, was = new.get("status") or {}, old.get("status") or {}
    users, allocation, before = now.get("reservedFor"), now.get("allocation"), was.get("allocation")
    yield from distinct("status.reservedFor", users, _user, _MOST_USERS, "uid")
    yield from _devices("status.devices", now)
    if users and allocation is None:
        yield forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    elif (
        users
        and new["metadata"].get("deletionTimestamp")
        and any(u not in (was.get("reservedFor") or ()) for u in users)
    ):
        detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        yield forbidden("status.reservedFor", detail)
    if allocation is not None and before is not None:
        if not go_structs.equal("resource.AllocationResult", allocation, before):
            yield invalid("status.allocation", go_structs.shown("resource.AllocationResult", allocation), IMMUTABLE)
    elif allocation is not None:
        yield from _allocation("status.allocation", allocation, names_of(new.get("spec") or {}))


def _user(path: str, reference: Json) -> Problems:
    for name in ("resource", "name", "uid"):
        if not reference.get(name):
            yield required(f"{path}.{name}")


def _allocation(path: str, allocation: Json, known: Names) -> Problems:
    devices, here = allocation.get("devices") or {}, f"{path}.devices"

    def result(at: str, tree: Json) -> Problems:
        yield from request_name(f"{at}.request", tree.get("request") or "", known)
        yield from _identity(at, tree)

    def config(at: str, tree: Json) -> Problems:
        yield from _source(f"{at}.source", tree.get("source") or "")
        yield from request_names(f"{at}.requests", tree, known)
        yield from configuration(at, tree)

    yield from limited(f"{here}.results", devices.get("results"), result, MOST_REQUESTS)
    yield from limited(f"{here}.config", devices.get("config"), config, 2 * MOST_CONFIGURATIONS)
    if allocation.get("nodeSelector") is not None:
        yield from node_selector(f"{path}.nodeSelector", allocation["nodeSelector"])


def _source(path: str, source: str) -> Problems:
    if not source:
        yield required(path)
    elif source not in ("FromClaim", "FromClass"):
        yield not_supported(path, Pointed(source), ("FromClaim", "FromClass"))


def _identity(path: str, tree: Json) -> Problems:
    yield from driver_name(f"{path}.driver", tree.get("driver") or "")
    yield from pool_name(f"{path}.pool", tree.get("pool") or "")
    yield from dns_label(f"{path}.device", tree.get("device") or "")
    share = tree.get("shareID")
    if share is not None and not _UUID.fullmatch(share):
        yield invalid(f"{path}.shareID", share, _uid_problem(share))


def _uid_problem(text: str) -> str:
    plain = text.lower().removeprefix("urn:uuid:").removeprefix("{").removesuffix("}")
    if _UUID.fullmatch(plain) or re.fullmatch("[0-9a-f]{32}", plain):
        return (
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase "
            "hexadecimal characters"
        )
    if len(text) not in (32, 36, 38, 45):
        return f"error validating uid: invalid UUID length: {len(text)}"
    return "error validating uid: invalid UUID format"


def _devices(path: str, status: Json) -> Problems:
    found, devices = allocated(status), status.get("devices") or ()
    for i, device in enumerate(devices):
        yield from _device(f"{path}[{i}]", device, device_of(device) in found)
    seen: set[Device] = set()
    for i, device in enumerate(devices):
        identity = device_of(device)
        if identity in seen:
            yield duplicate(f"{path}[{i}].deviceID", _HIDDEN)
        seen.add(identity)


def _device(path: str, device: Json, is_allocated: bool) -> Problems:  # noqa: FBT001 - said by the one caller
    yield from _identity(path, device)
    if not is_allocated:
        yield invalid(path, _HIDDEN, "must be an allocated device in the claim")
    found = device.get("conditions") or ()
    if len(found) > _MOST_CONDITIONS:
        yield too_many(f"{path}.conditions", len(found), _MOST_CONDITIONS)
    yield from conditions(f"{path}.conditions", found)
    if device.get("data") is not None:
        yield from any_object(f"{path}.data", device["data"], _LARGEST_DATA)
    network = device.get("networkData") or {}
    for member, most in (("interfaceName", _LONGEST_INTERFACE), ("hardwareAddress", _LONGEST_HARDWARE)):
        if len((network.get(member) or "").encode()) > most:
            yield too_long(f"{path}.networkData.{member}", most)
    yield from distinct(f"{path}.networkData.ips", network.get("ips"), _address, _MOST_ADDRESSES)


def _address(path: str, text: str) -> Problems:
    address, slash, prefix = text.partition("/")
    is_length = slash and prefix.isascii() and prefix.isdigit()
    try:
        found = ipaddress.ip_interface(f"{_LEADING_ZEROS.sub('', address)}/{int(prefix)}") if is_length else None
    except ValueError:
        found = None
    if found is None:
        yield invalid(path, text, _NO_ADDRESS)
    elif (plain := _canonical(found)) != text:
        yield invalid(path, text, f'must be in canonical form ("{plain}")')


def _canonical(found: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> str:
    mapped = getattr(found.ip, "ipv4_mapped", None)
    length = found.network.prefixlen
    if mapped is not None:
        return f"{mapped}/{length - 96 if length > 32 else length}"
    return f"{found.ip}/{length}"

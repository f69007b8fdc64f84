"""Dynamic resource allocation: claims, their templates, classes and slices.

Source: pkg/apis/resource/validation (basics).
"""

from collections.abc import Mapping

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, items
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent, keep_status, metadata_fields, status_without


def _default_spec(spec: Json) -> None:
    for request in items(spec.get("devices") or {}, "requests"):
        exactly = request.get("exactly")
        for choice in (exactly, *(request.get("firstAvailable") or ())):
            if choice is not None:
                fill(choice, "allocationMode", "ExactCount")
                if choice["allocationMode"] == "ExactCount" and not choice.get("count"):
                    choice["count"] = 1


def default_claim(tree: Json) -> Json:
    _default_spec(tree.get("spec") or {})
    return tree


def default_template(tree: Json) -> Json:
    _default_spec((tree.get("spec") or {}).get("spec") or {})
    return tree


def _claim_spec(path: str, spec: Json) -> Problems:
    seen: set[str] = set()
    for i, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        here, name = f"{path}.devices.requests[{i}]", request.get("name", "")
        yield from dns_label(f"{here}.name", name)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        exactly, several = request.get("exactly"), request.get("firstAvailable")
        if (exactly is None) == (not several):
            yield required(here, "exactly one of `exactly` or `firstAvailable` is required")
        elif exactly is not None:
            if not exactly.get("deviceClassName"):
                yield required(f"{here}.exactly.deviceClassName")
            mode = exactly.get("allocationMode", "")
            yield from one_of(f"{here}.exactly.allocationMode", mode, ("All", "ExactCount"))


def check_claim(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_claim_spec("spec", new.get("spec") or {})]
    return problems if old is None else [*problems, *immutable("spec", new.get("spec"), old.get("spec"))]


def check_claim_status(new: Json, old: Json | None) -> list[FieldError]:
    """An allocation changes only by going away; a claim in use keeps it."""
    now, was = (tree.get("status") or {} for tree in (new, old or {}))
    if was.get("allocation") and now.get("allocation") and not same(now["allocation"], was["allocation"]):
        return [*immutable("status.allocation", now["allocation"], was["allocation"])]
    if now.get("reservedFor") and not now.get("allocation"):
        return [forbidden("status.reservedFor", "may not be specified when `allocated` is not set")]
    return []


def check_template(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_claim_spec("spec.spec", (new.get("spec") or {}).get("spec") or {})]
    return problems if old is None else [*problems, *immutable("spec", new.get("spec"), old.get("spec"))]


def check_class(new: Json, _old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    return [
        required(f"spec.selectors[{i}].cel")
        for i, selector in enumerate(spec.get("selectors") or ())
        if not (selector.get("cel") or {}).get("expression")
    ]


def check_slice(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    problems = [*dns_subdomain("spec.driver", spec.get("driver", ""))]
    chosen = [name for name in ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection") if spec.get(name)]
    if len(chosen) != 1:
        detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
        problems.append(required("spec", detail))
    problems += _pool("spec.pool", spec.get("pool") or {})
    for i, device in enumerate(spec.get("devices") or ()):
        problems += dns_label(f"spec.devices[{i}].name", device.get("name", ""))
    if old is not None:
        for name in ("driver", "nodeName"):
            problems += immutable(f"spec.{name}", spec.get(name), (old.get("spec") or {}).get(name))
    return problems


def _pool(path: str, pool: Json) -> Problems:
    if not pool.get("name"):
        yield required(f"{path}.name")
    if (count := pool.get("resourceSliceCount") or 0) <= 0:
        yield invalid(f"{path}.resourceSliceCount", count, "must be greater than zero")
    if (generation := pool.get("generation") or 0) < 0:
        yield invalid(f"{path}.generation", generation, "must be greater than or equal to zero")


def slice_fields(tree: Json) -> Mapping[str, str]:
    spec = tree.get("spec") or {}
    return {
        **metadata_fields(tree),
        "spec.driver": spec.get("driver", ""),
        "spec.nodeName": spec.get("nodeName", ""),
    }


RESOURCECLAIMS = Strategy(
    default=default_claim,
    prepare=keep_status,
    check=check_claim,
    prepare_status=status_without(),
    check_status=check_claim_status,
)
RESOURCECLAIMTEMPLATES = Strategy(default=default_template, prepare=as_sent, check=check_template)
DEVICECLASSES = Strategy(prepare=as_sent, check=check_class, has_generation=True)
RESOURCESLICES = Strategy(
    prepare=as_sent,
    check=check_slice,
    has_generation=True,
    fields=slice_fields,
    field_labels=("metadata.name", "spec.driver", "spec.nodeName"),
    unknown_field="field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}",
)

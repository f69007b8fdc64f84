"""The kinds' rows: what of them is defaulted, dropped and checked.

Whether the namespace admits `adminAccess` is looked at in `admin_access`.
Source: pkg/registry/resource/*/strategy.go, pkg/apis/resource/v1/defaults.go.
"""

from collections.abc import Iterator, Mapping

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies import go_structs, template_metadata
from apiserver.strategies.defaulting import fill, items
from apiserver.strategies.devices import gates, selectors
from apiserver.strategies.devices.allocation import allocated, claim_status, device_of
from apiserver.strategies.devices.parts import configuration, limited
from apiserver.strategies.devices.requests import MOST_CONFIGURATIONS, claim_spec
from apiserver.strategies.devices.slices import slice_spec
from apiserver.strategies.problems import IMMUTABLE, Problems, invalid
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import (
    Strategy,
    WriteContext,
    as_sent,
    keep_status,
    metadata_fields,
    never,
    status_without,
)

_reset = status_without()


def _default_spec(spec: Json) -> None:
    for request in items(spec.get("devices") or {}, "requests"):
        exactly = request.get("exactly")
        for choice in (exactly, *(request.get("firstAvailable") or ())):
            if choice is not None:
                fill(choice, "allocationMode", "ExactCount")
                for toleration in items(choice, "tolerations"):
                    fill(toleration, "operator", "Equal")
                if choice["allocationMode"] == "ExactCount" and not choice.get("count"):
                    choice["count"] = 1


def default_claim(tree: Json) -> Json:
    _default_spec(tree.get("spec") or {})
    return tree


def default_template(tree: Json) -> Json:
    _default_spec((tree.get("spec") or {}).get("spec") or {})
    return tree


def _prepare_claim(new: Json, old: Json | None) -> Json:
    gates.drop_of_claim(new.get("spec") or {})
    return keep_status(new, old)


def _prepare_claim_status(new: Json, old: Json | None) -> Json:
    """What drivers said of devices goes with their allocation."""
    kept = _reset(new, old)
    status = kept.get("status") or {}
    gone = allocated((old or {}).get("status") or {}) - allocated(status)
    if devices := status.get("devices"):
        status["devices"] = [device for device in devices if device_of(device) not in gone]
        if not status["devices"]:
            del status["devices"]
    gates.drop_of_status(status, old)
    return kept


def _prepare_template(new: Json, _old: Json | None) -> Json:
    gates.drop_of_claim((new.get("spec") or {}).get("spec") or {})
    return new


def _stamp_slice(new: Json, old: Json | None, _context: WriteContext) -> Json:
    """The generation rises even for what is dropped only then."""
    spec = new.get("spec") or {}
    if old is not None and not same(spec, old.get("spec")):
        new["metadata"]["generation"] = new["metadata"].get("generation", 0) + 1
    gates.drop_of_slice(spec)
    return new


def _prepare_class(new: Json, _old: Json | None) -> Json:
    gates.drop_of_class(new.get("spec") or {})
    return new


def check_claim(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*claim_spec("spec", new.get("spec") or {})]
    return problems if old is None else [*problems, *_unchanged("ResourceClaimSpec", new, old), *problems]


def check_claim_status(new: Json, old: Json | None) -> list[FieldError]:
    return [*claim_status(new, old or {})]


def check_template(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    problems = [*template_metadata.check("spec.metadata", spec.get("metadata") or {})]
    problems += claim_spec("spec.spec", spec.get("spec") or {})
    return problems if old is None else [*problems, *_unchanged("ResourceClaimTemplateSpec", new, old), *problems]


def _unchanged(type: str, new: Json, old: Json) -> Iterator[FieldError]:
    name = f"resource.{type}"
    if not go_structs.equal(name, new.get("spec"), old.get("spec")):
        yield invalid("spec", go_structs.shown(name, new.get("spec")), IMMUTABLE)


def check_class(new: Json, old: Json | None) -> list[FieldError]:
    """An update is looked at as a new object, and then again."""
    spec = new.get("spec") or {}
    return [*_class(spec), *(_class(spec) if old is not None else ())]


def _class(spec: Json) -> Problems:
    yield from selectors.check("spec.selectors", spec.get("selectors"))
    yield from limited("spec.config", spec.get("config"), configuration, MOST_CONFIGURATIONS)


def check_slice(new: Json, old: Json | None) -> list[FieldError]:
    return [*slice_spec("spec", new.get("spec") or {}, None if old is None else old.get("spec") or {})]


def slice_fields(tree: Json) -> Mapping[str, str]:
    spec = tree.get("spec") or {}
    return {
        **metadata_fields(tree),
        "spec.driver": spec.get("driver", ""),
        "spec.nodeName": spec.get("nodeName", ""),
    }


RESOURCECLAIMS = Strategy(
    default=default_claim,
    prepare=_prepare_claim,
    check=check_claim,
    prepare_status=_prepare_claim_status,
    check_status=check_claim_status,
)
RESOURCECLAIMTEMPLATES = Strategy(default=default_template, prepare=_prepare_template, check=check_template)
DEVICECLASSES = Strategy(prepare=_prepare_class, check=check_class, has_generation=True)
RESOURCESLICES = Strategy(
    prepare=as_sent,
    stamp=_stamp_slice,
    check=check_slice,
    raises_generation=never,
    has_generation=True,
    fields=slice_fields,
    field_labels=("metadata.name", "spec.driver", "spec.nodeName"),
    unknown_field="field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}",
)

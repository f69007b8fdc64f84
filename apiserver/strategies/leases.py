"""Leases. Source: pkg/apis/coordination/validation, pkg/registry/coordination/lease."""

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, invalid
from apiserver.strategies.strategy import Strategy


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_check(new.get("spec") or {})]


def _check(spec: Json) -> Problems:
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


def prepare(new: Json, _old: Json | None) -> Json:
    """Coordinated leader election is off by default: what belongs to it is dropped."""
    for name in ("strategy", "preferredHolder"):
        (new.get("spec") or {}).pop(name, None)
    return new


LEASES = Strategy(
    prepare=prepare, check=check, allow_create_on_update=True, allow_unconditional_update=False, any_finalizer=True
)

"""Leases. Source: pkg/apis/coordination/validation, pkg/registry/coordination/lease."""

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, invalid, required
from apiserver.strategies.strategy import Strategy, as_sent


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_check(new.get("spec") or {})]


def _check(spec: Json) -> Problems:
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    if spec.get("preferredHolder") and not spec.get("strategy"):
        yield required("spec.strategy", "must be specified when `preferredHolder` is specified")


LEASES = Strategy(prepare=as_sent, check=check, allow_create_on_update=True, allow_unconditional_update=False)

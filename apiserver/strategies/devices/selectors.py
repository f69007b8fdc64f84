"""Selectors of devices: CEL over `device.driver`, `device.attributes` and `device.capacity`, compiled and costed.

Source: dynamic-resource-allocation/cel/compile.go. What upstream lets through if it was stored before is not told apart
from what is new: there are no older versions of this environment.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from apimachinery.errors import INTERNAL_FIELD, FieldError
from apimachinery.types import Json
from apiserver import cel
from apiserver.cel.estimates import worst
from apiserver.cel.sizes import Sized
from apiserver.cel.types import ANY, BOOL, STRING, Property, map_of, object_type, opaque
from apiserver.strategies.devices.parts import limited
from apiserver.strategies.problems import Problems, forbidden, invalid, required, too_long

_MOST_SELECTORS = 32
_LONGEST, _DEAREST = 10 * 1024, 1_000_000
_MOST_ATTRIBUTES = 32

_DEVICE = object_type(
    "kubernetes.DRADevice",
    {
        "driver": Property("driver", STRING),
        "attributes": Property("attributes", map_of(STRING, map_of(STRING, ANY))),
        "capacity": Property("capacity", map_of(STRING, map_of(STRING, opaque("kubernetes.Quantity")))),
    },
)
_ENVIRONMENT = (
    replace(cel.ENVIRONMENT, binds=True)
    .with_variables({"device": _DEVICE})
    .with_types({"kubernetes.DRADevice": _DEVICE})
)
_DOMAIN, _IDENTIFIER, _VALUE, _QUANTITY = Sized(63, 2), Sized(32, 2), Sized(64, 1), Sized(0, 8)
_SIZES = Sized(
    0,
    2,
    fields={
        "driver": _DOMAIN,
        "attributes": Sized(
            _MOST_ATTRIBUTES, 2, Sized(_MOST_ATTRIBUTES, 2, _VALUE, _IDENTIFIER, any_field=_VALUE), _DOMAIN
        ),
        "capacity": Sized(_MOST_ATTRIBUTES, 2, Sized(_MOST_ATTRIBUTES, 2, _QUANTITY, _IDENTIFIER), _DOMAIN),
    },
)


def check(path: str, found: Sequence[Json] | None) -> Problems:
    """A list of selectors."""
    yield from limited(path, found, _selector, _MOST_SELECTORS)


def _selector(path: str, selector: Json) -> Problems:
    if selector.get("cel") is None:
        yield required(f"{path}.cel")
        return
    here, text = f"{path}.cel.expression", selector["cel"].get("expression") or ""
    if len(text.encode()) > _LONGEST:
        yield too_long(here, _LONGEST)
        return
    yield from _problem(here, text, *_compiled(text))


def _problem(path: str, text: str, error: str, cost: int) -> Problems:
    if error.startswith("program instantiation failed"):
        yield FieldError(path, INTERNAL_FIELD, error)
    elif error:
        yield invalid(path, text, error)
    elif cost > _DEAREST:
        yield forbidden(path, "too complex, exceeds cost limit")


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[str, int]:
    """Why an expression does not compile, or the most that it can cost."""
    try:
        program = cel.compile(text, _ENVIRONMENT)
    except cel.InstantiationError as error:
        return f"program instantiation failed: {error.text}", 0
    except cel.CompileError as error:
        return error.text, 0
    if program.type not in (BOOL, ANY):
        return f"must evaluate to bool or the unknown type, not {program.type}", 0
    return "", worst(program, _SIZES)

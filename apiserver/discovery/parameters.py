"""What an operation can be told in its path and query, with the words of v1.34 (parameters.yaml).

A parameter that all operations of a path have stands with the path. Source: kube-openapi/pkg/builder (openapi.go).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query or path parameter. `type` is OpenAPI's."""

    name: str
    type: str = "string"
    description: str = ""
    where: str = "query"


NAMESPACE = Parameter(
    "namespace", description="object name and auth scope, such as for teams and projects", where="path"
)
BELOW = Parameter("path", description="path to the resource", where="path")


@cache
def _texts() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    loaded: Mapping[str, Mapping[str, tuple[str, str]]] = yaml.load(
        files(__package__).joinpath("parameters.yaml").read_text(), Loader=yaml.CSafeLoader
    )
    return loaded


@cache
def of(*uses: str) -> tuple[Parameter, ...]:
    """The parameters of these uses together; a later use's words win."""
    found = {name: Parameter(name, *row) for use in uses for name, row in _texts().get(use, {}).items()}
    return tuple(found.values())


def named(kind: str) -> Parameter:
    """The object's name."""
    return Parameter("name", description=f"name of the {kind}", where="path")


def in_order(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """As documents list them."""
    return tuple(sorted(parameters, key=lambda each: (each.name, each.where)))


def shared(operations: Sequence[Sequence[Parameter]]) -> tuple[Parameter, ...]:
    """What all operations of a path have."""
    first, *rest = operations
    return in_order([each for each in first if all(each in other for other in rest)])

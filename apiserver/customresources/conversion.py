"""Which converter a definition asks for."""

from collections.abc import Callable

from apimachinery.types import Json
from apiserver.customresources.transforms import Converts, Unconverted
from apiserver.resources.api import Api


def converters(_api: Api) -> Callable[[Json], Converts]:
    """From a definition to its converter."""

    def of(_tree: Json) -> Converts:
        return Unconverted()

    return of

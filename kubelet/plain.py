"""A view as the tree that it came from: what the API, or a client of the kubelet's, is to read."""

from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """A view as the tree that it came from, without what says nothing. Structures stay, even empty: `emptyDir: {}`."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        found = {field.encode_name: getattr(value, field.name) for field in fields}
        return {name: plain(inner) for name, inner in found.items() if not _empty(inner)}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return msgspec.to_builtins(value)


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | tuple | dict) and not value)

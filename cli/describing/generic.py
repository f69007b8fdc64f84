"""Kinds without a describer of their own: every field, with its name spelled out. Source: describe.go (generic)."""

import re
from typing import Any

from apimachinery.types import Json
from cli.describing.writer import Writer, annotation_lines, boolean, labels_lines

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")
_ACRONYMS = {"Api": "API", "Url": "URL", "Uid": "UID", "Os": "OS", "Guid": "GUID"}
_SKIPPED = ("managedFields",)
_METADATA = ("name", "namespace", "labels", "annotations", *_SKIPPED)


def generic_lines(writer: Writer, tree: Json) -> None:
    """Name, labels, annotations, API version and kind, then the rest."""
    metadata = tree["metadata"]
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata.get('namespace', '')}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    rest = {"apiVersion": tree["apiVersion"], "kind": tree["kind"]} | {
        key: value for key, value in tree.items() if key not in ("apiVersion", "kind", "metadata")
    }
    rest["metadata"] = {key: value for key, value in metadata.items() if key not in _METADATA}
    _content(writer, 0, rest)


def _content(writer: Writer, level: int, values: Json) -> None:
    for key in sorted(values):
        value = values[key]
        title = smart_label(key)
        if isinstance(value, dict):
            writer.write(level, f"{title}:\n")
            _content(writer, level + 1, value)
        elif isinstance(value, list):
            writer.write(level, f"{title}:\n")
            for item in value:
                if isinstance(item, dict):
                    _content(writer, level + 1, item)
                else:
                    writer.write(level + 1, f"{_text(item)}\n")
        else:
            writer.write(level, f"{title}:\t{_text(value)}\n")


def _text(value: Any) -> str:
    if value is None:
        return "<nil>"
    return boolean(value) if isinstance(value, bool) else str(value)


def smart_label(field: str) -> str:
    """`lastTransitionTime` as `Last Transition Time`."""
    if any(char in field for char in "/.-_ "):
        return field
    words = [word if word.isupper() else word[:1].upper() + word[1:] for word in _WORD.findall(field)]
    return " ".join(_ACRONYMS.get(word, word) for word in words)

"""Objects from files: `-f FILE|FOLDER|URL|-`, YAML or JSON, several documents, Lists taken apart."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from apimachinery.types import Json
from cli.flags import UsageError

ENDINGS = (".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Document:
    """One object and where it was read, for messages."""

    source: str
    tree: Json


def read(names: Sequence[str], *, recursive: bool = False) -> list[Document]:
    """Every object of the files in order. Raises UsageError with the file's name where one cannot be read."""
    if not names:
        message = "must specify one of -f and -k"
        raise UsageError(message)
    return [document for name in names for document in _documents(name, recursive=recursive)]


def _documents(name: str, *, recursive: bool) -> Iterator[Document]:
    if name == "-":
        yield from _parse("STDIN", sys.stdin.read())
    elif name.startswith(("http://", "https://")):
        yield from _parse(name, httpx.get(name, follow_redirects=True).raise_for_status().text)
    elif Path(name).is_dir():
        found = Path(name).rglob("*") if recursive else Path(name).iterdir()
        for file in sorted(path for path in found if path.suffix in ENDINGS):
            yield from _parse(str(file), file.read_text())
    elif Path(name).exists():
        yield from _parse(name, Path(name).read_text())
    else:
        message = f'the path "{name}" does not exist'
        raise UsageError(message)


def _parse(source: str, text: str) -> Iterator[Document]:
    try:
        trees = [tree for tree in yaml.load_all(text, Loader=yaml.CSafeLoader) if tree]
    except yaml.YAMLError as error:
        message = f"error parsing {source}: error converting YAML to JSON: {error}"
        raise UsageError(message) from error
    for tree in trees:
        if not isinstance(tree, dict) or not tree.get("kind"):
            message = f"error validating {source}: Object 'Kind' is missing"
            raise UsageError(message)
        if tree["kind"].endswith("List") and isinstance(tree.get("items"), list):
            yield from (Document(source, item) for item in tree["items"])
        else:
            yield Document(source, tree)

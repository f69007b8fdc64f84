"""Objects from files: `-f FILE|FOLDER|URL|-`, YAML or JSON, several documents, Lists taken apart."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from apimachinery.selectors import parse_labels
from apimachinery.types import Json
from cli.flags import UsageError

ENDINGS = (".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Document:
    """One object and where it was read, for messages."""

    source: str
    tree: Json


def read(names: Sequence[str], *, recursive: bool = False, selector: str = "") -> list[Document]:
    """Every object of the files in order. Raises UsageError with the file's name where one cannot be read."""
    if not names:
        message = "must specify one of -f and -k"
        raise UsageError(message)
    found = [document for name in names for document in _documents(name, recursive=recursive)]
    wanted = parse_labels(selector)
    return [each for each in found if wanted.matches((each.tree.get("metadata") or {}).get("labels") or {})]


def text_of(name: str) -> str:
    """The text of one file, of a URL, or of stdin."""
    if name == "-":
        return sys.stdin.read()
    if name.startswith(("http://", "https://")):
        return httpx.get(name, follow_redirects=True).raise_for_status().text
    return Path(name).read_text()


def _documents(name: str, *, recursive: bool) -> Iterator[Document]:
    if name == "-" or name.startswith(("http://", "https://")):
        yield from _parse("STDIN" if name == "-" else name, text_of(name))
    elif Path(name).is_dir():
        found = Path(name).rglob("*") if recursive else Path(name).iterdir()
        for file in sorted(path for path in found if path.suffix in ENDINGS):
            yield from _parse(str(file), file.read_text())
    elif Path(name).exists():
        yield from _parse(name, text_of(name))
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

"""How objects are shown: kubectl's tables, JSON, YAML, names, JSONPath, custom columns. Pure: data in, text out.

Tables are aligned as kubectl's tab writer aligns them: at least three spaces between columns, no colours, so that what
scripts cut with awk stays where it is.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import jsonpath
from cli.flags import UsageError
from cli.yaml_output import to_yaml

PADDING = 3
MIN_WIDTH = 6


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns; every column but the last is padded."""
    if not rows:
        return ""
    columns = max(map(len, rows))
    widths = [max(MIN_WIDTH, *(len(row[i]) + PADDING for row in rows if i < len(row))) for i in range(columns)]
    lines = []
    for row in rows:
        cells = [cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])]
        lines.append("".join([*cells, row[-1]]) if row else "")
    return "".join(f"{line.rstrip() if not line.strip() else line}\n" for line in lines)


def table_rows(
    table: Json, *, wide: bool, headers: bool, namespace: bool, labels: Sequence[str] = (), prefix: str = ""
) -> list[list[str]]:
    """The cells of a server-side Table as kubectl shows them."""
    definitions = table.get("columnDefinitions", ())
    shown = [i for i, column in enumerate(definitions) if wide or not column.get("priority")]
    rows: list[list[str]] = []
    if headers:
        head = [definitions[i]["name"].upper() for i in shown]
        rows.append([*(["NAMESPACE"] if namespace else []), *head, *[label.split("/")[-1].upper() for label in labels]])
    for row in table.get("rows") or ():
        metadata = (row.get("object") or {}).get("metadata", {})
        cells = [cell_text(row["cells"][i]) for i in shown]
        if prefix and cells:
            cells[0] = f"{prefix}/{cells[0]}"
        extra = [metadata.get("labels", {}).get(label, "") for label in labels]
        rows.append([*([metadata.get("namespace", "")] if namespace else []), *cells, *extra])
    return rows


def cell_text(value: Any) -> str:
    """A cell of a Table; what is empty stays empty, lists and objects are JSON."""
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def to_json(tree: Any) -> str:
    """JSON as kubectl prints it: four spaces."""
    text = msgspec.json.format(msgspec.json.encode(tree, order="sorted"), indent=4).decode()
    return text.translate(_ESCAPES) + "\n"


#: Go's encoder escapes what could be taken for HTML.
_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def formatted(tree: Json, output: str, kind_of: Any = None) -> str | None:
    """`tree` in an output format that needs no table; None where a table is wanted."""
    name, _, rest = output.partition("=")
    if name in ("", "wide"):
        return None
    if name == "json":
        return to_json(tree)
    if name == "yaml":
        return to_yaml(tree)
    if name in ("jsonpath", "jsonpath-as-json"):
        return jsonpath.render(rest, tree)
    if name == "jsonpath-file":
        with open(rest, encoding="utf-8") as file:  # noqa: PTH123  (one line)
            return jsonpath.render(file.read(), tree)
    if name == "custom-columns":
        return custom_columns(rest, items_of(tree))
    if name == "name":
        return "".join(f"{object_name(item, kind_of)}\n" for item in items_of(tree))
    if name in ("go-template", "go-template-file", "template", "templatefile", "custom-columns-file"):
        raise UsageError(f"-o {name} is not available in pykubectl; use -o jsonpath=... or -o custom-columns=...")
    known = (
        "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,"
        "jsonpath-file,name,template,templatefile,wide,yaml"
    )
    message = f'unable to match a printer suitable for the output format "{name}", allowed formats are: {known}'
    raise UsageError(message)


def items_of(tree: Json) -> Sequence[Json]:
    """The items of a List, or the object itself."""
    return tree["items"] if str(tree.get("kind", "")).endswith("List") and "items" in tree else [tree]


def without_managed_fields(tree: Json, *, keep: bool = False) -> Json:
    """The object or list without managedFields, which nobody wants to see unasked."""
    for item in () if keep else items_of(tree):
        item.get("metadata", {}).pop("managedFields", None)
    return tree


def object_name(tree: Json, kind: Kind | None = None) -> str:
    """`deployment.apps/web`, `pod/x`: what `-o name` and the messages of writes print."""
    group = tree.get("apiVersion", "").rpartition("/")[0] if kind is None else kind.group
    singular = tree.get("kind", "").lower() if kind is None else kind.singular_name
    return f"{singular}{'.' + group if group else ''}/{tree['metadata']['name']}"


def custom_columns(spec: str, items: Iterable[Json]) -> str:
    """`NAME:.metadata.name,NODE:.spec.nodeName` as a table."""
    pairs = [part.partition(":") for part in spec.split(",")]
    rows = [[head for head, _, _ in pairs]]
    rows += [[_column(path, item) for _, _, path in pairs] for item in items]
    return align(rows)


def _column(path: str, item: Json) -> str:
    template = path if path.startswith("{") else f"{{{path if path.startswith('.') else '.' + path}}}"
    found = jsonpath.find(template, item)
    return ",".join(cell_text(value) for value in found) if found else "<none>"

"""Writes apiserver/strategies/go_structs.json: the fields of upstream's internal types, in order, as their Go source has them.

    python -m scripts.generate_go_structs /root/go/pkg/mod/k8s.io

Some messages of upstream show a value in the form of an internal type, which has no JSON names, or the lines in which two
such values differ. The sources are those of kubernetes@v1.34.1 and of the modules k8s.io/api and apimachinery v0.34.1.
"""

import json
import re
import sys
from pathlib import Path

FOUND = Path(__file__).parents[1] / "apiserver" / "strategies" / "go_structs.json"
#: The types that messages show: package of internal types -> names.
ROOTS = {
    "core": (
        "PodSpec",
        "PodTemplateSpec",
        "PersistentVolumeClaimSpec",
        "PersistentVolumeSource",
        "EphemeralContainer",
        "ScopeSelector",
        "EventSource",
    ),
    "resource": ("ResourceClaimSpec", "ResourceClaimTemplateSpec", "AllocationResult"),
    "apps": ("DeploymentStrategy", "DaemonSetUpdateStrategy"),
    "batch": ("PodFailurePolicy", "SuccessPolicy", "UncountedTerminatedPods"),
    "networking": ("ParentReference",),
    "storage": ("CSINodeDriver", "VolumeAttachmentSpec"),
}
_SCALARS = {
    **dict.fromkeys(("string", "types.UID", "UID"), "string"),
    **dict.fromkeys(("int", "int32", "int64", "float64", "byte", "intstr.IntOrString"), "number"),
    "bool": "bool",
    "resource.Quantity": "quantity",
}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^type (\w+) (string|int32|int64|map\[\w+\][\w.]+)$", re.MULTILINE)
_FIELD = re.compile(r'^\t(?:([\w, ]+?)\s+)?([*\[\]\w.]+)(?:\s+`json:"([^"]*)"[^`]*`)?\s*(?://.*)?$')

Field = tuple[str, str, str]  # Go's name ("" for an embedded type), the JSON name of v1, the type


def fields_of(text: str) -> dict[str, list[Field]]:
    """Every struct of a Go file."""
    return {
        name: [field for line in body.split("\n") for field in _field(line)] for name, body in _STRUCT.findall(text)
    }


def _field(line: str) -> list[Field]:
    match = _FIELD.match(line)
    if match is None:
        return []
    names, type_, tag = match.group(1) or "", match.group(2), (match.group(3) or "").split(",")[0]
    return [(name.strip(), tag, type_) for name in names.split(",")]


class Package:
    """The structs and named types of one package, internal and v1."""

    def __init__(self, modules: Path, name: str) -> None:
        internal = (modules / f"kubernetes@v1.34.1/pkg/apis/{name}/types.go").read_text()
        public = (modules / f"api@v0.34.1/{name}/v1/types.go").read_text()
        self.structs, self.public = fields_of(internal), fields_of(public)
        self.named = dict(_NAMED.findall(internal))

    def key(self, struct: str, field: Field) -> str:
        """The JSON name of a field in v1."""
        rows = {name.lower(): tag for name, tag, _ in self.public.get(struct, ())}
        return rows.get(field[0].lower()) or field[0][:1].lower() + field[0][1:]


class Generator:
    """Follows types from the roots."""

    def __init__(self, modules: Path) -> None:
        self.packages = {name: Package(modules, name) for name in ROOTS}
        meta = modules / "apimachinery@v0.34.1/pkg/apis/meta/v1/types.go"
        self.meta = fields_of(meta.read_text())
        self.found: dict[str, list[list[str]]] = {}

    def add(self, package: str, name: str) -> None:
        """Add a struct and all that it holds."""
        where = f"{package}.{name}"
        if where in self.found:
            return
        rows = self.found[where] = []
        tagged = package == "metav1"
        source = self.meta[name] if tagged else self.packages[package].structs[name]
        for field in source:
            key = field[1] if tagged else self.packages[package].key(name, field)
            rows.append(["" if not field[0] else key if tagged else field[0], key, self.type_of(package, field[2])])

    def type_of(self, package: str, text: str) -> str:
        """A type with its package; of what JSON shows as v1 writes it, only how nothing is shown."""
        for prefix in ("*", "[]", "map[string]"):
            if text.startswith(prefix):
                return prefix + self.type_of(package, text.removeprefix(prefix))
        if text in _SCALARS:
            return _SCALARS[text]
        owner, _, name = text.rpartition(".")
        owner = {"": package, "v1": "metav1", "api": "core"}.get(owner, owner)
        if owner == "metav1" and name in self.meta:
            self.add(owner, name)
            return f"metav1.{name}"
        if owner in self.packages:
            named = self.packages[owner].named.get(name)
            if named is not None:
                return self.type_of(owner, re.sub(r"map\[\w+\]", "map[string]", named))
            if name in self.packages[owner].structs:
                self.add(owner, name)
                return f"{owner}.{name}"
        return "value"  # times, raw JSON


def main() -> None:
    """Write the file."""
    generator = Generator(Path(sys.argv[1]))
    for package, names in ROOTS.items():
        for name in names:
            generator.add(package, name)
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in sorted(generator.found.items())]
    FOUND.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

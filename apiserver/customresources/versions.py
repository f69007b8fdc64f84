"""One version of a definition at work: what its schema keeps of an object, its defaults, its validation.

A `VersionSchema` is compiled once, when the definition is first seen. `strategy` makes of it what the write path calls.
Objects are judged in the version of the request, as upstream judges them.
Source: pkg/registry/customresource/{strategy,status_strategy,validator}.go, pkg/apiserver/customresource_handler.go.
"""

from collections.abc import Mapping
from typing import Any

from apimachinery import jsonpath, names, schema
from apimachinery.apply import types
from apimachinery.apply.blanks import custom_blank
from apimachinery.errors import INVALID, FieldError
from apimachinery.fields import Mistyped
from apimachinery.kinds import Kind
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.customresources import scale
from apiserver.customresources.definition import Version
from apiserver.registry import Merging
from apiserver.strategies.strategy import Strategy, as_sent, keep_status, metadata_fields
from apiserver.structural import defaulting, embedded, lists, pruning, rules
from apiserver.structural.correlation import Correlation
from apiserver.structural.node import compiled
from apiserver.structural.values import BLOCKING, Validator

_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


class VersionSchema:
    """A version's schema, compiled."""

    def __init__(self, kind: Kind, version: Version, *, preserves: bool) -> None:
        self.kind = kind
        self.version = version
        self.preserves = preserves  # a relic: objects keep whatever they have
        self.openapi = defaulting.with_pruned_defaults(version.schema) if version.schema else {}
        self.node = compiled(self.openapi)
        self._validator = Validator(self.openapi)
        status = (self.openapi.get("properties") or {}).get("status")
        self._status_validator = Validator(status) if status is not None else None
        self._rules = rules.compiled(self.openapi, is_root=True)

    def decode_applied(self, tree: Json, strict: bool) -> tuple[Json, list[str]]:  # noqa: FBT001 - a Resource's decode
        """The same of an object after an apply: upstream takes no nulls out of it, and so refuses them."""
        return self.decode(tree, strict, keeps_nulls=True)

    def decode(self, tree: Json, strict: bool, *, keeps_nulls: bool = False) -> tuple[Json, list[str]]:  # noqa: FBT001 - a Resource's decode
        """What the schema keeps of an object, and the unknown fields. Raises 400 for metadata that is mistyped."""
        made = {name: copied(item) for name, item in tree.items() if name != "metadata"}
        try:
            meta, unknown = embedded.metadata(tree.get("metadata"))
            made["metadata"] = {}
            unknown += self.coerce(made, keeps_nulls=keeps_nulls)
        except (Mistyped, ValueError) as error:
            raise schema.cannot_be_handled(self.kind, str(error)) from None
        made["metadata"] = meta
        return made, [f'unknown field "{path}"' for path in unknown] if strict else []

    def coerce(self, tree: Json, *, drop_invalid: bool = False, keeps_nulls: bool = False) -> list[str]:
        """Prune where the tree lies, and make embedded metadata well-typed; the unknown fields that went."""
        unknown = [] if self.preserves else pruning.pruned(tree, self.node)
        if not self.preserves and not keeps_nulls:
            defaulting.drop_nulls(tree, self.node)
        return unknown + embedded.coerce(tree, self.node, drop_invalid=drop_invalid)

    def default(self, tree: Json) -> Json:
        """Fill what is absent."""
        defaulting.default(tree, self.node)
        return tree

    def check(self, new: Json, old: Json | None) -> list[FieldError]:
        """What is wrong with an object, beside its metadata."""
        was = Correlation(new, old, self.node) if old is not None else None
        problems = self._validator.check(new, was=was)
        problems += scale.check(self.version.scale, new)
        problems += embedded.check(new, self.node)
        if was is None or not any(lists.check(was.old, self.node)):
            problems += lists.check(new, self.node)
        return self._with_rules(problems, new, old, was)

    def _with_rules(
        self, problems: list[FieldError], new: Json, old: Json | None, was: Correlation | None
    ) -> list[FieldError]:
        """The problems, and those that the rules find, unless the object's shape is not what rules are written for."""
        if self._rules is None:
            return problems
        return [*problems, *(not_checked(problems) or rules.check(self._rules, new, old, was))]

    def check_status(self, new: Json, old: Json | None) -> list[FieldError]:
        """What is wrong with an object whose status is written."""
        assert old is not None
        was = Correlation(new, old, self.node)
        problems: list[FieldError] = []
        if "status" in new and self._status_validator is not None:
            problems += self._status_validator.check(new["status"], prefix="status", was=was.key("status"))
        problems += scale.check_status(self.version.scale, new)
        if not any(lists.check(old, self.node)):
            problems += lists.check(new, self.node)
        return self._with_rules(problems, new, old, was)

    def fields(self, tree: Json) -> Mapping[str, str]:
        """The selectable fields of an object."""
        found = dict(metadata_fields(tree))
        for path in self.version.selectable:
            values = jsonpath.find(path, tree)
            found[path.removeprefix(".")] = _as_text(values[0]) if values and values[0] is not None else ""
        return found


def decode(
    schemas: Mapping[str, VersionSchema],
    kind: Kind,
    tree: Json,
    strict: bool,  # noqa: FBT001 - a Resource's decode
) -> tuple[Json, list[str]]:
    """What the schema of the version that an object names keeps of it, and the unknown fields. Raises 400.

    A version that there is not knows no field; an object of another kind is left alone. Both are refused later.
    """
    version, name = tree.get("apiVersion") or kind.api_version, tree.get("kind") or kind.kind
    if version == kind.api_version and name == kind.kind:
        return schemas[kind.version].decode(tree, strict)
    group, _, version = version.rpartition("/")
    if (group, name) != (kind.group, kind.kind):
        return tree, []
    if version in schemas:
        return schemas[version].decode(tree, strict)
    unknown = [] if schemas[kind.version].preserves else sorted(tree.keys() - _ALWAYS_KNOWN)
    return tree, [f'unknown field "{field}"' for field in unknown] if strict else []


_ALWAYS_KNOWN = frozenset(("apiVersion", "kind", "metadata"))


def _as_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def strategy(version: VersionSchema) -> Strategy:
    """The write path's rules for one version."""
    scoped = ("metadata.name", "metadata.namespace") if version.kind.namespaced else ("metadata.name",)
    return Strategy(
        default=version.default,
        prepare=keep_status if version.version.has_status else as_sent,
        check=version.check,
        raises_generation=_differs,
        has_generation=True,
        prepare_status=_only_status,
        check_status=version.check_status,
        warnings=_warnings,
        fields=version.fields,
        field_labels=(*scoped, *(path.removeprefix(".") for path in version.version.selectable)),
        unknown_field="field label not supported: {}",
        allow_unconditional_update=False,
        any_finalizer=True,
        name=names.subdomain_name,
    )


def _differs(new: Json, old: Json) -> bool:
    """Anything but metadata raises the generation."""
    return {**new, "metadata": None} != {**old, "metadata": None}


def _only_status(new: Json, old: Json | None) -> Json:
    """A status write changes the status and, of the metadata, who manages which field."""
    assert old is not None
    kept = {**old, "metadata": {**old["metadata"]}}
    kept["metadata"].pop("managedFields", None)
    if "managedFields" in new["metadata"]:
        kept["metadata"]["managedFields"] = new["metadata"]["managedFields"]
    kept.pop("status", None)
    return {**kept, "status": new["status"]} if "status" in new else kept


def _warnings(new: Json, old: Json | None) -> list[str]:
    """New finalizers that are not as they should be."""
    before = set(old["metadata"].get("finalizers") or ()) if old is not None else set[str]()
    added = sorted(set(new["metadata"].get("finalizers") or ()) - before)
    return [text for name in added for text in _finalizer_warnings(name)]


def _finalizer_warnings(name: str) -> list[str]:
    found = [f'metadata.finalizers: "{name}": {why}' for why in names.qualified_name(name)]
    if "/" not in name and name not in _STANDARD_FINALIZERS:
        what = " including a path (/)" if "." in name else ""
        advice = (
            f"prefer a domain-qualified finalizer name{what} to avoid accidental conflicts with other finalizer writers"
        )
        found.append(f'metadata.finalizers: "{name}": {advice}')
    return found


def merging(schemas: Mapping[str, VersionSchema]) -> Merging:
    """How objects of a definition merge under server-side apply; `schemas` by version."""
    served = {one.kind.api_version: one for one in schemas.values() if one.version.served}
    made: dict[str, types.Type] = {}

    def type_of(kind: Kind) -> types.Type:
        if kind.version not in made:
            one = schemas[kind.version]
            made[kind.version] = types.custom(one.openapi, preserves=one.preserves)
        return made[kind.version]

    def versions(_stored: Kind) -> Mapping[str, Kind]:
        return {version: one.kind for version, one in served.items()}

    def replicas(_stored: Kind) -> Mapping[str, tuple[str, ...]]:
        return {version: scale.replicas_path(one.version.scale) for version, one in served.items()}

    return Merging(type_of, custom_blank, versions, _as_version, replicas)


def _as_version(tree: Json, kind: Kind) -> Json:
    # differs: an owner that wrote through another version is compared without asking the conversion webhook.
    return {**tree, "apiVersion": kind.api_version}


def not_checked(problems: list[FieldError]) -> list[FieldError]:
    """What is said in place of rules that could not be evaluated; nothing when they can be."""
    if any(problem.kind in BLOCKING for problem in problems):
        return [FieldError("<nil>", INVALID, _NOT_CHECKED, None)]
    return []

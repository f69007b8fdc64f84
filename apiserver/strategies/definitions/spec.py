"""The spec and status of a definition: group, scope, versions, names, conversion; what may not change any more.

Source: apiextensions/validation/validation.go (ValidateCustomResourceDefinition, ...Update).
"""

import unicodedata
from collections.abc import Mapping, Sequence

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError, Pointed, not_supported
from apimachinery.types import Json
from apiserver.strategies.definitions import approval, columns, defaults, inner, rules, schemas, structure, walking
from apiserver.strategies.definitions.certificates import bundle_problem
from apiserver.strategies.definitions.schemas import Options
from apiserver.strategies.problems import IMMUTABLE, Problems, forbidden, invalid, required
from apiserver.strategies.sameness import same
from apiserver.strategies.webhooks import client_config
from apiserver.structural.node import EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE, PRESERVES, RULES

_STRATEGIES = ("None", "Webhook")
_REVIEWS = ("v1", "v1beta1")
_LONGEST_WARNING = 256
_EXTENSIONS = (EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE, RULES)


def check(new: Json, old: Json | None) -> list[FieldError]:
    """Everything that is wrong with a definition, beside its metadata."""
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    problems = [*_name(new)] if old is None else []
    options = _options(before, spec) if old is not None else Options()
    problems += _spec(spec, before if old is not None else None, options, is_established=_is_established(old))
    if old is not None:
        problems += _changes(spec, before, is_established=_is_established(old))
    problems += [*check_status(new), *_stored_versions(new), *_approval(new, old)]
    if spec.get("preserveUnknownFields") and not before.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        problems.append(invalid("spec.preserveUnknownFields", True, why))
    return problems


def check_status(new: Json) -> Problems:
    """What is wrong with a status that is written."""
    yield from _names("status.acceptedNames", (new.get("status") or {}).get("acceptedNames") or {})


def _name(tree: Json) -> Problems:
    name, spec = tree["metadata"].get("name") or "", tree.get("spec") or {}
    if name and name != f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}":
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _is_established(old: Json | None) -> bool:
    found = ((old or {}).get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in found)


def _schemas(spec: Json) -> list[Json]:
    found = [(version.get("schema") or {}).get("openAPIV3Schema") for version in spec.get("versions") or ()]
    return [schema for schema in found if schema is not None]


def _options(before: Json, now: Json) -> Options:
    """What the definition, as it was, keeps to; the rest is not asked of it now."""
    found = _schemas(before)
    was = {version.get("name"): version.get("schema") for version in before.get("versions") or ()}

    def none_has(holds: "object") -> bool:
        return not any(walking.any_of(schema, holds) for schema in found)  # type: ignore[arg-type]

    return Options(
        needs_schema=len(found) == len(before.get("versions") or ()),
        valid_types=none_has(lambda s: s.get("type") and s["type"] not in schemas.TYPES),
        structural=not any(structure.unsupported(schema) or structure.check("", schema) for schema in found),
        pruned_defaults=not any(_has_unpruned(schema) for schema in found),
        atomic_sets=none_has(_has_granular_set),
        sound_keys=none_has(lambda s: [*schemas.check_keys("", s)]),
        unchanged=frozenset(
            version.get("name") or ""
            for version in now.get("versions") or ()
            if version.get("name") in was and was[version.get("name")] == version.get("schema")
        ),
    )


def _has_unpruned(schema: Json) -> bool:
    if structure.unsupported(schema) or structure.check("", schema):
        return False
    return any(problem.detail == "must not have unknown fields" for problem in defaults.check("", schema, pruned=True))


def _has_granular_set(schema: Json) -> bool:
    items = schema.get("items")
    if schema.get(LIST_TYPE) != "set" or not isinstance(items, dict):
        return False
    return schemas.is_granular(items) or (items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"))


def _spec(spec: Json, before: Json | None, options: Options, *, is_established: bool) -> Problems:
    group, versions = spec.get("group") or "", spec.get("versions") or []
    if not group:
        yield required("spec.group")
    elif why := names.dns_subdomain(group):
        yield invalid("spec.group", group, ",".join(why))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    yield from _enum("spec.scope", spec.get("scope") or "", ("Cluster", "Namespaced"))
    preserves = bool(spec.get("preserveUnknownFields"))
    options = _with_structure(options, spec)
    yield from _schemas_there(versions, options, preserves=preserves)
    if preserves and any(walking.any_of(s, lambda t: t.get("default") is not None) for s in _schemas(spec)):
        yield invalid("spec.preserveUnknownFields", True, "must be false in order to use defaults in the schema")
    kept = {name: not inner.shared(versions, name) for name in inner.SHARED}
    for i, version in enumerate(versions):
        if why := names.dns_1035_label(version.get("name") or ""):
            yield invalid(f"spec.versions[{i}].name", version.get("name") or "", ",".join(why))
        yield from _version(f"spec.versions[{i}]", version, kept, options)
    if len({version.get("name") for version in versions}) < len(versions):
        yield _of_versions(spec, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield _of_versions(spec, "must have exactly one version marked as storage version")
    if versions and (first := versions[0].get("name")) and (why := names.dns_1035_label(first)):
        yield invalid("spec.version", first, ",".join(why))
    called = spec.get("names") or {}
    for member in ("plural", "singular", "kind", "listKind"):
        if not called.get(member):
            yield required(f"spec.names.{member}")
    yield from _names("spec.names", called)
    if versions:
        yield from _shared(spec, kept, options)
    yield from _conversion(spec.get("conversion"), before, preserves=preserves, is_established=is_established)


def _with_structure(options: Options, spec: Json) -> Options:
    """Schemas must be structural wherever something needs it; only old definitions without anything new need not."""
    uses = any(
        walking.any_of(schema, lambda s: s.get("default") is not None or any(s.get(name) for name in _EXTENSIONS))
        or walking.any_of(schema, lambda s: s.get(PRESERVES) is not None)
        for schema in _schemas(spec)
    )
    return options.but_structural() if uses or not spec.get("preserveUnknownFields") else options


def _of_versions(spec: Json, why: str) -> FieldError:
    versions = spec.get("versions")
    shown = msgspec.Raw(inner.versions_as_internal(versions)) if versions is not None else None
    return invalid("spec.versions", shown, why)


def _schemas_there(versions: Sequence[Json], options: Options, *, preserves: bool) -> Problems:
    for i, version in enumerate(versions):
        here, missing = f"spec.versions[{i}].schema.openAPIV3Schema", not _schema_of(version)
        if missing and options.needs_schema:
            yield required(here)
        elif missing and not preserves and version.get("served"):
            yield required(here, "because otherwise all fields are pruned")


def _schema_of(version: Json) -> bool:
    return (version.get("schema") or {}).get("openAPIV3Schema") is not None


def _enum(path: str, value: str, accepted: Sequence[str]) -> Problems:
    if not value:
        yield required(path)
    elif value not in accepted:
        yield not_supported(path, value, accepted)


def _version(path: str, version: Json, kept: Mapping[str, bool], options: Options) -> Problems:
    yield from _warning(f"{path}.deprecationWarning", version)
    has_status = (version.get("subresources") or {}).get("status") is not None
    if kept["schema"]:
        yield from _schema(f"{path}.schema", version, options, has_status=has_status)
    if kept["subresources"]:
        yield from columns.check_subresources(f"{path}.subresources", version.get("subresources"))
    if kept["additionalPrinterColumns"]:
        for i, column in enumerate(version.get("additionalPrinterColumns") or ()):
            yield from columns.check_column(f"{path}.additionalPrinterColumns[{i}]", column)
    fields = version.get("selectableFields") or ()
    if kept["selectableFields"] and fields:
        schema = (version.get("schema") or {}).get("openAPIV3Schema") if kept["schema"] else None
        here = f"{path}.selectableFields"
        if schema is None:
            why = "may only be set when `version.schema.openAPIV3Schema` is not included"
            yield invalid(here, "", why)
        else:
            yield from _selectable(path, fields, schema)


def _shared(spec: Json, kept: Mapping[str, bool], options: Options) -> Problems:
    """What all versions have, which lies at the top."""
    first = spec["versions"][0]
    has_status = any((v.get("subresources") or {}).get("status") is not None for v in spec["versions"])
    if not kept["schema"]:
        yield from _schema("spec.validation", first, options, has_status=has_status)
    if not kept["subresources"]:
        yield from columns.check_subresources("spec.subresources", first.get("subresources"))
    if not kept["additionalPrinterColumns"]:
        for i, column in enumerate(first.get("additionalPrinterColumns") or ()):
            yield from columns.check_column(f"spec.additionalPrinterColumns[{i}]", column)
    fields = first.get("selectableFields") or ()
    if not kept["selectableFields"] and fields:
        if kept["schema"] or not _schema_of(first):
            yield invalid("spec.selectableFields", "", "may only be set when validations.schema is included")
        else:
            yield from _selectable("spec", fields, first["schema"]["openAPIV3Schema"])


def _selectable(path: str, fields: Sequence[Json], schema: Json) -> Problems:
    if why := structure.unsupported(schema):
        yield invalid(f"{path}.schema.openAPIV3Schema", "", why)
        schema = {}
    yield from columns.check_selectable(f"{path}.selectableFields", fields, schema)


def _warning(path: str, version: Json) -> Problems:
    if version.get("deprecationWarning") is None:
        return
    text = Pointed(version["deprecationWarning"])
    if not version.get("deprecated"):
        yield invalid(path, text, "can only be set for deprecated versions")
        return
    if len(text.encode()) > _LONGEST_WARNING:
        yield invalid(path, text, "must be <= 256 characters long")
    if not text:
        yield invalid(path, text, "must not be an empty string")
    at = 0
    for letter in text:
        category = unicodedata.category(letter)
        if category[0] in "CZ" and letter != " ":
            why = f"must only contain printable UTF-8 characters; non-printable character found at index {at}"
            yield invalid(path, text, why)
            break
        at += len(letter.encode())


def _schema(path: str, version: Json, options: Options, *, has_status: bool) -> Problems:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        return
    here = f"{path}.openAPIV3Schema"
    problems = [*schemas.check_root(here, schema, has_status=has_status)]
    unreadable = ""
    if options.structural:
        unreadable = structure.unsupported(schema)
        if not unreadable:
            problems += structure.check(here, schema) or defaults.check(here, schema, pruned=options.pruned_defaults)
    is_typed = options.structural and not unreadable and not problems
    problems += schemas.check(here, schema, options)
    total = rules.Total()
    if is_typed:
        is_new = version.get("name") not in options.unchanged
        problems += rules.check(here, schema, [problem.path for problem in problems], total, is_new=is_new)
    if not problems and unreadable:
        problems.append(invalid(here, "", unreadable))
    yield from problems
    yield from total.check(here)


def _names(path: str, tree: Json) -> Problems:
    for member in ("plural", "singular"):
        if tree.get(member) and (why := names.dns_1035_label(tree[member])):
            yield invalid(f"{path}.{member}", tree[member], ",".join(why))
    for member in ("kind", "listKind"):
        if tree.get(member) and (why := names.dns_1035_label(tree[member].lower())):
            text = f"may have mixed case, but should otherwise match: {','.join(why)}"
            yield invalid(f"{path}.{member}", tree[member], text)
    yield from _labels(f"{path}.shortNames", tree.get("shortNames") or ())
    if tree.get("kind") and tree["kind"] == tree.get("listKind"):
        yield invalid(f"{path}.listKind", tree["listKind"], "kind and listKind may not be the same")
    yield from _labels(f"{path}.categories", tree.get("categories") or ())


def _labels(path: str, values: Sequence[str]) -> Problems:
    for i, value in enumerate(values):
        if why := names.dns_1035_label(value):
            yield invalid(f"{path}[{i}]", value, ",".join(why))


def _conversion(conversion: Json | None, before: Json | None, *, preserves: bool, is_established: bool) -> Problems:
    if conversion is None:
        return
    path, strategy, webhook = "spec.conversion", conversion.get("strategy") or "", conversion.get("webhook")
    if strategy != "None" and preserves:
        yield invalid(f"{path}.strategy", strategy, "must be None if spec.preserveUnknownFields is true")
    yield from _enum(f"{path}.strategy", strategy, _STRATEGIES)
    config, reviews = (webhook or {}).get("clientConfig"), (webhook or {}).get("conversionReviewVersions") or []
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if config is not None:
            yield forbidden(f"{path}.webhookClientConfig", why)
        if reviews:
            yield forbidden(f"{path}.conversionReviewVersions", why)
        return
    old = ((before or {}).get("conversion") or {}).get("webhook") or {}
    if config is None:
        yield required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
    else:
        yield from client_config(f"{path}.webhookClientConfig", config)
        bundle = config.get("caBundle") if is_established and _was_valid(old) else None
        if bundle and (why := bundle_problem(bundle)):
            yield invalid(f"{path}.webhookClientConfig.caBundle", bundle, why)
    known = old.get("conversionReviewVersions") or []
    recognised = before is None or not known or any(version in _REVIEWS for version in known)
    yield from _review_versions(f"{path}.conversionReviewVersions", reviews, is_strict=recognised)


def _was_valid(webhook: Json) -> bool:
    """Whether the CA bundle, as it was, could be used: one that could not may stay."""
    bundle = (webhook.get("clientConfig") or {}).get("caBundle")
    return not bundle or not bundle_problem(bundle)


def _review_versions(path: str, versions: Sequence[str], *, is_strict: bool) -> Problems:
    if not versions:
        yield required(path)
        return
    seen = set[str]()
    for i, version in enumerate(versions):
        if version in seen:
            yield invalid(f"{path}[{i}]", version, "duplicate version")
            continue
        seen.add(version)
        for why in names.dns_1035_label(version):
            yield invalid(f"{path}[{i}]", version, why)
    if is_strict and not seen & set(_REVIEWS):
        yield invalid(path, list(versions), f"must include at least one of {', '.join(_REVIEWS)}")


def _changes(spec: Json, before: Json, *, is_established: bool) -> Problems:
    called, was = spec.get("names") or {}, before.get("names") or {}
    if is_established:
        yield from _unchanged("spec.scope", spec.get("scope"), before.get("scope"))
        yield from _unchanged("spec.names.kind", called.get("kind"), was.get("kind"))
    yield from _unchanged("spec.group", spec.get("group"), before.get("group"))
    yield from _unchanged("spec.names.plural", called.get("plural"), was.get("plural"))


def _unchanged(path: str, new: str | None, old: str | None) -> Problems:
    if not same(new or "", old or ""):
        yield invalid(path, new or "", IMMUTABLE)


def _stored_versions(tree: Json) -> Problems:
    stored, path = (tree.get("status") or {}).get("storedVersions") or [], "status.storedVersions"
    versions = (tree.get("spec") or {}).get("versions") or ()
    if not stored:
        yield invalid(path, stored or None, "must have at least one stored version")
        return
    left = set(stored)  # a name that stands twice is found once
    for version in versions:
        if version.get("storage") and version.get("name") not in left:
            yield invalid(path, stored, f"must have the storage version {version.get('name')}")
        left.discard(version.get("name"))
    known = {version.get("name") for version in versions}
    for i, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid(f"{path}[{i}]", name, why)


def _approval(new: Json, old: Json | None) -> Problems:
    if not approval.is_protected((new.get("spec") or {}).get("group") or ""):
        return
    text = (new["metadata"].get("annotations") or {}).get(approval.ANNOTATION) or ""
    state, why = approval.state_of(text)
    if old is not None:
        before = (old["metadata"].get("annotations") or {}).get(approval.ANNOTATION) or ""
        if approval.state_of(before)[0] == state:
            return
    here = f"metadata.annotations[{approval.ANNOTATION}]"
    if state == approval.INVALID:
        yield invalid(here, text, why)
    elif state == approval.MISSING:
        yield required(here, why)

"""Label and field selectors on cache entries, without decoding more than they need.

Labels come from the entry's head. Selectable fields are computed by the kind's strategy on first use and kept with the
entry, since the same selector (`spec.nodeName=...`) comes again and again.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import json

from apimachinery import errors, selectors
from apiserver.registry import Resource
from apiserver.resources.options import ListOptions
from apiserver.storage.entry import Entry

Selects: TypeAlias = Callable[[Entry], bool]

_FIELDS = "selectable fields"


def selector(resource: Resource, options: ListOptions) -> Selects | None:
    """The predicate of a list or watch, None when everything is wanted. Raises 400 for a field the kind has not."""
    labels, fields = options.labels, options.fields
    if fields is not None:
        _check_fields(resource, options)
    if fields is None or not fields.requirements:
        return _by_labels(labels) if labels is not None else None
    if labels is None:
        return lambda entry: fields.matches(fields_of(resource, entry))
    return lambda entry: labels.matches(entry.labels) and fields.matches(fields_of(resource, entry))


def _by_labels(labels: selectors.LabelSelector) -> Selects:
    """The predicate of a label selector; the commonest one, `key=value`, is asked of thousands of entries."""
    match labels.requirements:
        case (selectors.Requirement(operator=selectors.EQUAL | selectors.DOUBLE_EQUAL) as only,):
            key, value = only.key, only.values[0]
            return lambda entry: entry.labels.get(key) == value
    return lambda entry: labels.matches(entry.labels)


def values_of_a_label(labels: selectors.LabelSelector) -> tuple[str, tuple[str, ...]] | None:
    """A label and the values of which one is needed to be selected; None where the selector names none."""
    for each in labels.requirements:
        if each.operator in (selectors.EQUAL, selectors.DOUBLE_EQUAL, selectors.IN):
            return each.key, each.values
    return None


def fields_of(resource: Resource, entry: Entry) -> Mapping[str, str]:
    """The selectable fields of one object."""
    transforms = resource.transforms
    if transforms is not None:
        form = (_FIELDS, transforms.form)
        return entry.made(form, lambda it: resource.strategy.fields(json.decode(transforms.served(it))))
    fields = resource.strategy.fields
    return entry.made((_FIELDS, fields), lambda it: fields(it.read()))


def _check_fields(resource: Resource, options: ListOptions) -> None:
    assert options.fields is not None
    known = resource.strategy.field_labels
    for requirement in options.fields.requirements:
        if requirement.field not in known:
            raise errors.bad_request(resource.strategy.unknown_field_text(requirement.field))

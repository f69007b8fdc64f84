"""When a Job counts as failed or done: `podFailurePolicy` and `successPolicy`. Source: pkg/apis/batch/validation."""

from apimachinery import names
from apimachinery.errors import NO_VALUE, TOO_LONG, FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    invalid,
    named,
    non_negative,
    one_of,
    required,
    too_many,
)

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MOST_DIGITS = 18
_MOST_RULES, _MOST_VALUES, _MOST_INDEXES = 20, 255, 64 * 1024


def _needed(path: str, value: str, options: tuple[str, ...]) -> Problems:
    """An enum that has to be there, in the words of these policies."""
    if not value:
        quoted = " ".join(f'"{each}"' for each in options)
        yield required(path, f"valid values: [{quoted}]")
    else:
        yield from one_of(path, value, options)


def failure_policy(path: str, spec: Json) -> Problems:
    """`spec.podFailurePolicy`."""
    rules = spec["podFailurePolicy"].get("rules") or ()
    if len(rules) > _MOST_RULES:
        yield too_many(f"{path}.rules", len(rules), _MOST_RULES)
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {each.get("name") for each in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ()))}
    for i, rule in enumerate(rules):
        yield from _failure_rule(f"{path}.rules[{i}]", rule, containers, spec)


def _failure_rule(path: str, rule: Json, containers: set[str], spec: Json) -> Problems:
    action, codes, conditions = rule.get("action") or "", rule.get("onExitCodes"), rule.get("onPodConditions")
    if action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            yield invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set")
    else:
        yield from _needed(f"{path}.action", action, _ACTIONS)
    if codes is not None:
        yield from _exit_codes(f"{path}.onExitCodes", codes, containers)
    for i, pattern in enumerate(conditions or ()):
        here = f"{path}.onPodConditions[{i}]"
        yield from named(f"{here}.type", pattern.get("type", ""), names.qualified_name)
        yield from _needed(f"{here}.status", pattern.get("status") or "", _STATUSES)
    if len(conditions or ()) > _MOST_RULES:
        yield too_many(f"{path}.onPodConditions", len(conditions or ()), _MOST_RULES)
    if codes is not None and conditions:
        yield invalid(path, NO_VALUE, "specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not conditions:
        yield invalid(path, NO_VALUE, "specifying one of OnExitCodes and OnPodConditions is required")


def _exit_codes(path: str, codes: Json, containers: set[str]) -> Problems:
    yield from _needed(f"{path}.operator", codes.get("operator") or "", _OPERATORS)
    name, values = codes.get("containerName"), codes.get("values")
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{path}.containerName", name, detail)
    if not values:
        yield invalid(f"{path}.values", values, "at least one value is required")
        return
    if len(values) > _MOST_VALUES:
        yield too_many(f"{path}.values", len(values), _MOST_VALUES)
    for i, value in enumerate(values):
        if value == 0 and codes.get("operator") == "In":
            yield invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator")
        if value in values[:i]:
            yield duplicate(f"{path}.values[{i}]", value)
    if values != sorted(values):
        yield invalid(f"{path}.values", values, "must be ordered")


def success_policy(path: str, spec: Json) -> Problems:
    """`spec.successPolicy` of an Indexed Job."""
    rules = spec["successPolicy"].get("rules") or ()
    if not rules:
        yield required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > _MOST_RULES:
        yield too_many(f"{path}.rules", len(rules), _MOST_RULES)
    for i, rule in enumerate(rules):
        yield from _success_rule(f"{path}.rules[{i}]", rule, spec.get("completions") or 0)


def _success_rule(path: str, rule: Json, completions: int) -> Problems:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        yield required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        here = f"{path}.succeededIndexes"
        if len(indexes) > _MOST_INDEXES:
            yield FieldError(here, TOO_LONG, f"may not be more than {_MOST_INDEXES} bytes")
        try:
            total = number_of_indexes(indexes, completions)
        except ValueError as error:
            yield invalid(here, indexes, f"error parsing succeededIndexes: {error}")
    if count is not None:
        here = f"{path}.succeededCount"
        yield from non_negative(here, count)
        if count > completions:
            detail = f"must be less than or equal to {completions} (the number of specified completions)"
            yield invalid(here, count, detail)
        if indexes is not None and count > total:
            detail = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            yield invalid(here, count, detail)


def number_of_indexes(text: str, completions: int) -> int:
    """How many indexes `0-2,5` names. Raises ValueError in upstream's words."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        limits = part.split("-")
        if len(limits) > 2:
            raise ValueError(
                f'the fragment "{part}" violates the requirement that an index interval can have at most two parts '
                "separated by '-'"
            )
        first = _index(limits[0], completions)
        end = _index(limits[1], completions) if len(limits) > 1 else first
        if len(limits) > 1 and first >= end:
            raise ValueError(f"non-increasing order, previous: {first}, current: {end}")
        if last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total


def _index(text: str, completions: int) -> int:
    if not text.removeprefix("+").isdecimal() or len(text) > _MOST_DIGITS:
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)

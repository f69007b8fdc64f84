"""LimitRanger: what a namespace's LimitRanges fill in and allow. Source: plugin/pkg/admission/limitranger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from apimachinery import kinds
from apimachinery.quantity import Quantity, parse
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review

ANNOTATION = "kubernetes.io/limit-ranger"
Amounts = Mapping[str, Quantity]


def _limits(review: Review) -> list[Json]:
    """Every limit of every LimitRange of the namespace."""
    ranges = review.lookup.list(kinds.LIMITRANGES, review.namespace)
    return [limit for tree in ranges for limit in (tree.get("spec") or {}).get("limits") or ()]


def _mutate(review: Review) -> None:
    """Containers without requests or limits get those of the namespace."""
    if not review.is_about(kinds.PODS, CREATE):
        return
    limits = [limit for limit in _limits(review) if limit.get("type") == "Container"]
    notes: list[str] = []
    for limit in limits:
        for list_name, word in (("containers", "container"), ("initContainers", "init container")):
            for container in review.tree["spec"].get(list_name) or ():
                notes += _fill(container, limit, word)
    if notes:
        annotations = review.tree["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(container: Json, limit: Json, word: str) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for member, source, singular in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
        given = resources.get(member) or {}
        missing = {name: value for name, value in (limit.get(source) or {}).items() if name not in given}
        if missing:
            resources[member] = {**given, **missing}
            names = ", ".join(sorted(missing))
            yield f"{names} {singular} for {word} {container.get('name', '')}"


def _validate(review: Review) -> None:
    if review.is_about(kinds.PODS, CREATE, UPDATE):
        if review.operation == UPDATE and not _resources_differ(review):
            return
        problems = [*_pod_problems(review.tree["spec"], _limits(review))]
    elif review.is_about(kinds.PERSISTENTVOLUMECLAIMS, CREATE, UPDATE):
        asked = _amounts((review.tree["spec"].get("resources") or {}).get("requests"))
        claims = [limit for limit in _limits(review) if limit.get("type") == "PersistentVolumeClaim"]
        problems = [text for limit in claims for text in _claim_problems(limit, asked)]
    else:
        return
    if problems:
        raise review.refuse(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _resources_differ(review: Review) -> bool:
    trees = (review.tree, review.old or {})
    now, was = ([c.get("resources") for c in (t.get("spec") or {}).get("containers") or ()] for t in trees)
    return now != was


def _claim_problems(limit: Json, asked: Amounts) -> Iterator[str]:
    for name, least in _amounts(limit.get("min")).items():
        yield from _at_least("PersistentVolumeClaim", name, least, asked, {})
    for name, most in _amounts(limit.get("max")).items():
        yield from _at_most("PersistentVolumeClaim", name, most, asked, asked)


def _pod_problems(spec: Json, limits: Sequence[Json]) -> Iterator[str]:
    for limit in limits:
        if limit.get("type") == "Container":
            for list_name in ("containers", "initContainers"):
                for container in spec.get(list_name) or ():
                    yield from _bounds("Container", limit, *_resources(container))
        elif limit.get("type") == "Pod":
            yield from _bounds("Pod", limit, *pod_totals(spec))


def _bounds(kind: str, limit: Json, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _amounts(limit.get("min")).items():
        yield from _at_least(kind, name, least, requests, limits)
    for name, most in _amounts(limit.get("max")).items():
        yield from _at_most(kind, name, most, requests, limits)
    for name, ratio in _amounts(limit.get("maxLimitRequestRatio")).items():
        yield from _ratio(kind, name, ratio, requests, limits)


def _at_least(kind: str, name: str, least: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    if name not in requests:
        yield f"minimum {name} usage per {kind} is {least}.  No request is specified"
    elif requests[name] < least:
        yield f"minimum {name} usage per {kind} is {least}, but request is {requests[name]}"
    elif name in limits and limits[name] < least:
        yield f"minimum {name} usage per {kind} is {least}, but limit is {limits[name]}"


def _at_most(kind: str, name: str, most: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    if name not in limits:
        yield f"maximum {name} usage per {kind} is {most}.  No limit is specified"
    elif limits[name] > most:
        yield f"maximum {name} usage per {kind} is {most}, but limit is {limits[name]}"
    elif name in requests and requests[name] > most:
        yield f"maximum {name} usage per {kind} is {most}, but request is {requests[name]}"


def _ratio(kind: str, name: str, ratio: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, allowed = requests.get(name), limits.get(name)
    head = f"{name} max limit to request ratio per {kind} is {ratio}"
    if asked is None or not asked:
        yield f"{head}, but no request is specified or request is 0"
    elif allowed is None or not allowed:
        yield f"{head}, but no limit is specified or limit is 0"
    elif allowed.nanos * 10**9 > ratio.nanos * asked.nanos:
        yield f"{head}, but provided ratio is {allowed.nanos / asked.nanos:f}"


def _amounts(values: Mapping[str, Any] | None) -> dict[str, Quantity]:
    return {name: parse(value) for name, value in (values or {}).items()}


def _resources(container: Json) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    resources = container.get("resources") or {}
    return _amounts(resources.get("requests")), _amounts(resources.get("limits"))


def pod_totals(spec: Json) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    """What a pod asks for and may use in all: containers and sidecars together, or its greediest init container."""
    return _total(spec, 0), _total(spec, 1)


def _total(spec: Json, part: int) -> dict[str, Quantity]:
    running = [_resources(container)[part] for container in spec.get("containers") or ()]
    sidecars: list[dict[str, Quantity]] = []
    peaks: list[dict[str, Quantity]] = []
    for container in spec.get("initContainers") or ():
        amounts = _resources(container)[part]
        if container.get("restartPolicy") == "Always":
            sidecars.append(amounts)
        else:
            peaks.append(_combined([*sidecars, amounts], _sum))
    overhead = [_amounts(spec.get("overhead"))] if spec.get("overhead") else []
    return _combined([_combined([_combined([*running, *sidecars], _sum), *peaks], max), *overhead], _sum)


def _combined(parts: Sequence[Amounts], join: Callable[[Quantity, Quantity], Quantity]) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = join(total[name], amount) if name in total else amount
    return total


def _sum(left: Quantity, right: Quantity) -> Quantity:
    return left + right


LIMIT_RANGER = Plugin("LimitRanger", mutate=_mutate, validate=_validate)

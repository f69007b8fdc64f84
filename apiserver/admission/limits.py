"""LimitRanger: what a namespace's LimitRanges fill in and allow. Source: plugin/pkg/admission/limitranger."""

from collections.abc import Iterator

from apimachinery import kinds
from apimachinery.pod_resources import Amounts, amounts, total_limits, total_requests
from apimachinery.quantity import Quantity
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources

ANNOTATION = "kubernetes.io/limit-ranger"


def _ranges(review: Review) -> list[list[Json]]:
    """The limits of each LimitRange of the namespace."""
    found = review.lookup.list(kinds.LIMITRANGES, review.namespace)
    return [list((tree.get("spec") or {}).get("limits") or ()) for tree in found]


def _is_about_a_pod(review: Review) -> bool:
    """A pod that is made or resized: containers change in no other way."""
    return review.is_about(kinds.PODS, CREATE) or review.is_about(kinds.PODS, UPDATE, subresource="resize")


def _is_going(review: Review) -> bool:
    return bool(review.old and review.old["metadata"].get("deletionTimestamp"))


def _mutate(review: Review) -> None:
    """Containers without requests or limits get those of the namespace."""
    if not _is_about_a_pod(review) or _is_going(review):
        return
    for limits in _ranges(review):
        usual = [limit for limit in limits if limit.get("type") == "Container"]
        requests = {name: value for limit in usual for name, value in (limit.get("defaultRequest") or {}).items()}
        maxima = {name: value for limit in usual for name, value in (limit.get("default") or {}).items()}
        notes: list[str] = []
        for list_name, word in (("containers", "container"), ("initContainers", "init container")):
            for container in review.tree["spec"].get(list_name) or ():
                notes += _fill(container, requests, maxima, word)
        if notes:
            annotations = review.tree["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(container: Json, requests: Json, maxima: Json, word: str) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for member, usual, singular in (("requests", requests, "request"), ("limits", maxima, "limit")):
        given = resources.get(member) or {}
        missing = {name: value for name, value in usual.items() if name not in given}
        if missing:
            resources[member] = {**given, **missing}
            names = ", ".join(sorted(missing))
            yield f"{names} {singular} for {word} {container.get('name', '')}"


def _validate(review: Review) -> None:
    """The first LimitRange that is broken speaks, for all that breaks it."""
    is_claim = review.is_about(kinds.PERSISTENTVOLUMECLAIMS, CREATE, UPDATE)
    if not (is_claim or _is_about_a_pod(review)) or _is_going(review):
        return
    for limits in _ranges(review):
        problems = list(dict.fromkeys(_problems(review.tree, limits, is_claim=is_claim)))
        if problems:
            raise review.refuse(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _problems(tree: Json, limits: list[Json], *, is_claim: bool) -> Iterator[str]:
    for limit in limits:
        match limit.get("type"):
            case "PersistentVolumeClaim" if is_claim:
                yield from _claim_problems(limit, amounts((tree["spec"].get("resources") or {}).get("requests")))
            case "Container" if not is_claim:
                for list_name in ("containers", "initContainers"):
                    for container in tree["spec"].get(list_name) or ():
                        resources = container.get("resources") or {}
                        given = amounts(resources.get("requests")), amounts(resources.get("limits"))
                        yield from _bounds("Container", limit, *given)
            case "Pod" if not is_claim:
                yield from _bounds("Pod", limit, *_pod_totals(tree))


def _pod_totals(pod: Json) -> tuple[Amounts, Amounts]:
    """As specified, whatever the containers have now; the overhead is not the user's."""
    bare = {"spec": {**pod["spec"], "overhead": None}}
    return total_requests(bare, with_status=False), total_limits(bare, with_status=False)


def _claim_problems(limit: Json, asked: Amounts) -> Iterator[str]:
    for name, least in amounts(limit.get("min")).items():
        yield from _at_least("PersistentVolumeClaim", name, least, asked, {})
    for name, most in amounts(limit.get("max")).items():
        head = f"maximum {name} usage per PersistentVolumeClaim is {most}"
        if name not in asked:
            yield f"{head}.  No request is specified"
        elif asked[name] > most:
            yield f"{head}, but request is {asked[name]}"


def _bounds(kind: str, limit: Json, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in amounts(limit.get("min")).items():
        yield from _at_least(kind, name, least, requests, limits)
    for name, most in amounts(limit.get("max")).items():
        yield from _at_most(kind, name, most, requests, limits)
    for name, ratio in amounts(limit.get("maxLimitRequestRatio")).items():
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


LIMIT_RANGER = Plugin(
    "LimitRanger", mutate=_mutate, validate=_validate, of=resources(kinds.PODS, kinds.PERSISTENTVOLUMECLAIMS)
)

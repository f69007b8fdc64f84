"""RuntimeClass: what a runtime costs and where it is, added to the pods that name it.

Source: plugin/pkg/admission/runtimeclass/admission.go.
"""

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, Plugin, Review, resources


def _found(review: Review) -> Json | None:
    name = review.tree["spec"].get("runtimeClassName")
    if not name:
        return None
    found = review.lookup.get(kinds.RUNTIMECLASSES, "", name)
    if found is None:
        raise review.refuse(f'pod rejected: RuntimeClass "{name}" not found')
    return found


def _mutate(review: Review) -> None:
    if not review.is_about(kinds.PODS, CREATE):
        return
    found = _found(review)
    if found is None:
        return
    spec, overhead = review.tree["spec"], (found.get("overhead") or {}).get("podFixed")
    if overhead:
        if spec.get("overhead") and spec["overhead"] != overhead:
            raise review.refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec["overhead"] = dict(overhead)
    scheduling = found.get("scheduling") or {}
    selector = spec.get("nodeSelector") or {}
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.get(key, value) != value:
            raise review.refuse(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value};"
                f" pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
        spec["nodeSelector"] = selector = {**selector, key: value}
    kept = list(spec.get("tolerations") or ())
    added = [dict(t) for t in scheduling.get("tolerations") or () if t not in kept]
    if added:
        spec["tolerations"] = kept + added


def _validate(review: Review) -> None:
    if not review.is_about(kinds.PODS, CREATE):
        return
    found, spec = _found(review), review.tree["spec"]
    if found is None:
        if spec.get("overhead") and not spec.get("runtimeClassName"):
            raise review.refuse("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
    elif spec.get("overhead") and spec["overhead"] != (found.get("overhead") or {}).get("podFixed"):
        raise review.refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")


RUNTIME_CLASS = Plugin("RuntimeClass", mutate=_mutate, validate=_validate, of=resources(kinds.PODS))

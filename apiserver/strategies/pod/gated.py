"""A pod with scheduling gates may still be narrowed down to fewer nodes, never widened.

Source: validation.go ValidatePodUpdate (podIsGated), validateNodeSelectorMutation, validateNodeAffinityMutation.
"""

from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.problems import Problems, invalid

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TERMS = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"


def narrowed(spec: Json, before: Json) -> Problems:
    """What of the changes widens; then the spec, which is modified, has the old node selector and node affinity."""
    now, was = spec.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if now != was:
        if not was.items() <= now.items():
            why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            yield invalid("spec.nodeSelector", spec.get("nodeSelector"), why)
        spec["nodeSelector"] = was
    affinity, old_affinity = spec.get("affinity"), before.get("affinity")
    node, old_node = ((tree or {}).get("nodeAffinity") for tree in (affinity, old_affinity))
    if go_structs.equal("*core.NodeAffinity", node, old_node):
        return
    yield from _terms((node or {}).get(_REQUIRED) or {}, (old_node or {}).get(_REQUIRED))
    if affinity is not None and old_affinity is None and not (affinity.keys() & {"podAffinity", "podAntiAffinity"}):
        spec["affinity"] = None
    else:
        spec["affinity"] = {**(affinity or {}), "nodeAffinity": old_node}


def _terms(now: Json, was: Json | None) -> Problems:
    terms, old_terms = now.get("nodeSelectorTerms") or [], (was or {}).get("nodeSelectorTerms") or []
    if not old_terms:
        return
    if len(terms) != len(old_terms):
        shown = go_structs.shown("[]core.NodeSelectorTerm", terms or None)
        yield invalid(_TERMS, shown, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for i, (term, old_term) in enumerate(zip(terms, old_terms, strict=True)):
        if not _only_added(term, old_term):
            shown = go_structs.shown("core.NodeSelectorTerm", term)
            yield invalid(f"{_TERMS}[{i}]", shown, "only additions are allowed (no mutations or deletions)")


def _only_added(now: Json, was: Json) -> bool:
    """Whether a term asks for what it asked for, and more; one that asked for nothing matches nothing, and stays."""
    members = ("matchExpressions", "matchFields")
    if not any(was.get(name) for name in members):
        return not any(now.get(name) for name in members)
    for name in members:
        asked = was.get(name) or []
        if (now.get(name) or [])[: len(asked)] != asked:
            return False
    return True

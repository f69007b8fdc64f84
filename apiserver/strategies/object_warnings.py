"""What is said of objects that are taken though part of them is out of date. Pods and Services have their own modules.

Source: pkg/api/{persistentvolume,persistentvolumeclaim,storage,node}, the strategies of pkg/registry/{core,networking}.
"""

from collections.abc import Callable, Iterator

from apimachinery import quantity
from apimachinery.types import Json
from apiserver.strategies import address_warnings

Warn = Callable[[Json, Json | None], list[str]]

#: Labels of nodes that have another name since long.
OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_OLD_ANNOTATIONS = {
    _OLD_CLASS: 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_OLD_VOLUMES = {
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
#: Whose field upstream names otherwise than it is written.
_SHOWN = {"storageos": "storageOS"}
_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"
_RECYCLES = (
    "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
)


def _every_time(find: Callable[[Json], Iterator[str]]) -> Warn:
    return lambda new, _old: list(find(new))


def _volume(tree: Json) -> Iterator[str]:
    spec = tree.get("spec") or {}
    for name, text in _OLD_ANNOTATIONS.items():
        if name in (tree["metadata"].get("annotations") or {}):
            yield f"metadata.annotations[{name}]: {text}"
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield f"spec.persistentVolumeReclaimPolicy: {_RECYCLES}"
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    for i, term in enumerate(terms):
        for j, expression in enumerate(term.get("matchExpressions") or ()):
            key = expression.get("key", "")
            if key in OLD_LABELS:
                path = f"spec.nodeAffinity.required.nodeSelectorTerms[{i}].matchExpressions[{j}].key"
                yield f"{path}: {key} is {OLD_LABELS[key]}"
    for name, text in _OLD_VOLUMES.items():
        if spec.get(name) is not None:
            yield f"spec.{_SHOWN.get(name, name)}: {text}"


def _claim(tree: Json) -> Iterator[str]:
    if _OLD_CLASS in (tree["metadata"].get("annotations") or {}):
        yield f"metadata.annotations[{_OLD_CLASS}]: {_OLD_ANNOTATIONS[_OLD_CLASS]}"
    yield from claim_spec("spec", tree.get("spec") or {})


def claim_spec(path: str, spec: Json) -> Iterator[str]:
    """Of a claim, or of a template for one."""
    resources = spec.get("resources") or {}
    for part in ("requests", "limits"):
        text = (resources.get(part) or {}).get("storage")
        if text is not None and quantity.parse(text).milli() % 1000:
            where = f"{path}.resources.{part}[storage]"
            yield f'{where}: fractional byte value "{quantity.canonical(text)}" is invalid, must be an integer'


def _network_policy(tree: Json) -> Iterator[str]:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate((tree.get("spec") or {}).get(direction) or ()):
            for j, peer in enumerate(rule.get(peers) or ()):
                block, path = peer.get("ipBlock") or {}, f"spec.{direction}[{i}].{peers}[{j}].ipBlock"
                yield from address_warnings.of_range(f"{path}.cidr", block.get("cidr", ""))
                for k, text in enumerate(block.get("except") or ()):
                    yield from address_warnings.of_range(f"{path}.except[{k}]", text)


def _storage_class(tree: Json) -> Iterator[str]:
    for i, topology in enumerate(tree.get("allowedTopologies") or ()):
        for j, expression in enumerate(topology.get("matchLabelExpressions") or ()):
            text = OLD_LABELS.get(expression.get("key", ""))
            if text is not None:
                yield f"allowedTopologies[{i}].matchLabelExpressions[{j}].key: {text}"


def _runtime_class(tree: Json) -> Iterator[str]:
    for name in (tree.get("scheduling") or {}).get("nodeSelector") or {}:
        if name in OLD_LABELS:
            yield f"scheduling.nodeSelector: {OLD_LABELS[name]}"


def service_account(new: Json, old: Json | None) -> list[str]:
    """An annotation that only who sets it needs to hear of."""
    if old is not None and _MOUNTABLE in (old["metadata"].get("annotations") or {}):
        return []
    if _MOUNTABLE not in (new["metadata"].get("annotations") or {}):
        return []
    instead = "prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; {instead}"]


volume = _every_time(_volume)
claim = _every_time(_claim)
network_policy = _every_time(_network_policy)
storage_class = _every_time(_storage_class)
runtime_class = _every_time(_runtime_class)

"""Which objects a node needs: those that the pods bound to it refer to.

`PodGraph` keeps, for every pod with a node, what the pod refers to, indexed by node. It is fed one pod at a time by
`observe`, which `catch_up` (see node_graph_feed) does before each question. What lies one step further (a claim's
volume, a volume's secrets) is looked up when asked.
Source: plugin/pkg/auth/authorizer/node/graph.go, pkg/api/v1/pod/util.go.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS, Kind
from apimachinery.types import Json
from apiserver.request import Lookup

Reference = tuple[str, str, str]  # plural, namespace, name
PodKey = tuple[str, str]
MIRROR = "kubernetes.io/config.mirror"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class _Known:
    """A pod as it was last read."""

    node: str
    references: frozenset[Reference]


@dataclass(slots=True)
class PodGraph:
    """References from nodes to objects, through pods."""

    lookup: Lookup
    catch_up: "Callable[[PodGraph], None]"
    _pods: dict[PodKey, _Known] = field(default_factory=dict, init=False)
    _nodes: dict[str, Counter[Reference]] = field(default_factory=dict, init=False)

    def needs(self, node: str, kind: Kind, namespace: str, name: str) -> bool:
        """Whether a pod of the node refers to the object."""
        self.catch_up(self)
        references = self._nodes.get(node)
        if not references:
            return False
        if references[(kind.plural, namespace, name)]:
            return True
        return self._by_volume(references, kind, namespace, name)

    def _by_volume(self, references: Counter[Reference], kind: Kind, namespace: str, name: str) -> bool:
        """A volume is needed through its claim; a secret perhaps through a volume."""
        if kind == PERSISTENTVOLUMES:
            volume = self.lookup.get(PERSISTENTVOLUMES, "", name)
            claim = ((volume or {}).get("spec") or {}).get("claimRef") or {}
            return bool(references[(PERSISTENTVOLUMECLAIMS.plural, claim.get("namespace", ""), claim.get("name", ""))])
        if kind.plural != "secrets":
            return False
        claims = [r for r, count in references.items() if count and r[0] == PERSISTENTVOLUMECLAIMS.plural]
        return any((namespace, name) in self._volume_secrets(claim) for claim in claims)

    def _volume_secrets(self, claim: Reference) -> set[tuple[str, str]]:
        tree = self.lookup.get(PERSISTENTVOLUMECLAIMS, claim[1], claim[2])
        volume_name = ((tree or {}).get("spec") or {}).get("volumeName", "")
        volume = self.lookup.get(PERSISTENTVOLUMES, "", volume_name) if volume_name else None
        return set(volume_secrets((volume or {}).get("spec") or {}))

    def clear(self) -> None:
        """Forgets every pod."""
        self._pods.clear()
        self._nodes.clear()

    def observe(self, key: PodKey, pod: Json | None) -> None:
        """Takes one pod's new state in; None when it is gone."""
        known = self._pods.pop(key, None)
        if known is not None and known.node:
            remaining = self._nodes[known.node]
            remaining.subtract(known.references)
            self._nodes[known.node] = +remaining
            if not self._nodes[known.node]:
                del self._nodes[known.node]
        if pod is None:
            return
        node = (pod.get("spec") or {}).get("nodeName", "")
        found = frozenset(pod_references(pod)) if node else frozenset()
        self._pods[key] = _Known(node, found)
        if node:
            self._nodes.setdefault(node, Counter()).update(found)


def pod_references(pod: Json) -> Iterator[Reference]:
    """Everything that a kubelet must read to run the pod, and the pod itself."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    namespace = metadata.get("namespace", "")
    yield PODS.plural, namespace, metadata["name"]
    if MIRROR in (metadata.get("annotations") or {}):
        return  # a mirror pod may be made by a kubelet: it must not open anything
    if account := spec.get("serviceAccountName"):
        yield "serviceaccounts", namespace, account
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", namespace, secret.get("name", "")
    for field_name in _CONTAINERS:
        for container in spec.get(field_name) or ():
            for plural, name in _container_references(container):
                yield plural, namespace, name
    for volume in spec.get("volumes") or ():
        for plural, name in _volume_references(volume, metadata["name"]):
            yield plural, namespace, name
    for claim in ((pod.get("status") or {}).get("resourceClaimStatuses")) or ():
        yield "resourceclaims", namespace, claim.get("resourceClaimName") or ""
    for claim in spec.get("resourceClaims") or ():
        if claim.get("resourceClaimName"):
            yield "resourceclaims", namespace, claim["resourceClaimName"]


def _container_references(container: Json) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield from _named(source, "configMapRef", "secretRef")
    for variable in container.get("env") or ():
        yield from _named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")


def _named(source: Json, config_map: str, secret: str) -> Iterator[tuple[str, str]]:
    if source.get(config_map):
        yield "configmaps", source[config_map].get("name", "")
    if source.get(secret):
        yield "secrets", source[secret].get("name", "")


#: Volume sources of pods that name a secret: source -> the field of its reference.
_SECRET_REFERENCES = {
    "azureFile": "",
    "cephfs": "secretRef",
    "cinder": "secretRef",
    "flexVolume": "secretRef",
    "iscsi": "secretRef",
    "rbd": "secretRef",
    "scaleIO": "secretRef",
    "storageos": "secretRef",
    "csi": "nodePublishSecretRef",
}


def _volume_references(volume: Json, pod_name: str) -> Iterator[tuple[str, str]]:
    if source := volume.get("secret"):
        yield "secrets", source.get("secretName", "")
    if source := volume.get("configMap"):
        yield "configmaps", source.get("name", "")
    for projection in (volume.get("projected") or {}).get("sources") or ():
        yield from _named(projection, "configMap", "secret")
    if source := volume.get("persistentVolumeClaim"):
        yield PERSISTENTVOLUMECLAIMS.plural, source.get("claimName", "")
    if "ephemeral" in volume:
        yield PERSISTENTVOLUMECLAIMS.plural, f"{pod_name}-{volume['name']}"
    for kind, reference in _SECRET_REFERENCES.items():
        source = volume.get(kind) or {}
        if name := source.get("secretName") if not reference else (source.get(reference) or {}).get("name"):
            yield "secrets", name


_CSI_SECRETS = ("controllerPublishSecretRef", "nodeStageSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def volume_secrets(spec: Json) -> Iterator[tuple[str, str]]:
    """Namespace and name of the secrets that a PersistentVolume names; the claim's namespace where it names none."""
    claim_namespace = (spec.get("claimRef") or {}).get("namespace", "")
    for kind, field_name in _SECRET_REFERENCES.items():
        source = spec.get(kind) or {}
        for name in _CSI_SECRETS if kind == "csi" else (field_name,):
            reference = source.get(name) or {} if name else {"name": source.get("secretName"), **_azure(source)}
            if reference.get("name"):
                yield reference.get("namespace") or claim_namespace, reference["name"]


def _azure(source: Json) -> Json:
    return {"namespace": source.get("secretNamespace")}

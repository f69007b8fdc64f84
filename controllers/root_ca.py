"""Publishes the cluster's CA as ConfigMap `kube-root-ca.crt` in every namespace, for pods to trust the API server.

Source: pkg/controller/certificates/rootcacertpublisher.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.kinds import CONFIGMAPS, NAMESPACES
from client.plan import Create, Key, Patch, Plan, View, Watch, itself, key_of
from controllers.serviceaccount import is_taking, namespace_of
from controllers.views import (
    ROOT_CA,
    ConfigMap,
)

DESCRIPTION = "kubernetes.io/description"
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


@dataclass(frozen=True)
class RootCAPublisher:
    """The controller of those ConfigMaps; its keys are namespaces. `ca` is the bundle as PEM text."""

    ca: str
    name: str = "root-ca-certificate-publisher-controller"
    watches: Sequence[Watch] = (Watch(NAMESPACES, itself), Watch(CONFIGMAPS, namespace_of))

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        if not is_taking(view.get(NAMESPACES, key)):
            return Plan()
        current: ConfigMap | None = view.get(CONFIGMAPS, Key(key.name, ROOT_CA))
        data = {"ca.crt": self.ca}
        if current is None:
            meta = {"name": ROOT_CA, "annotations": {DESCRIPTION: TEXT}}
            return Plan([Create(CONFIGMAPS, key.name, {"metadata": meta, "data": data})])
        if current.data == data and current.metadata.annotations.get(DESCRIPTION):
            return Plan()
        removed = dict.fromkeys(current.data.keys() - data.keys())
        body = {"metadata": {"annotations": {DESCRIPTION: TEXT}}, "data": {**removed, **data}}
        return Plan([Patch(CONFIGMAPS, key_of(current), current.metadata.uid, body)])

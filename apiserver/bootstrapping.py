"""What a new cluster holds from the start, as plain objects, and the write that makes them be there.

Nothing a user changed is changed back, but for roles and bindings, to which missing rules are added as upstream does
(authorization/reconcile.py). Sources: pkg/controlplane/controller/systemnamespaces, pkg/apis/scheduling/v1/helpers.go,
pkg/controlplane/controller/{defaultservicecidr,clusterauthenticationtrust}.
"""

from collections.abc import Sequence

import msgspec
import structlog

from apimachinery import kinds as k
from apimachinery import times
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import legacy_tokens
from apiserver.authorization import policy, reconcile
from apiserver.options import Options
from apiserver.request import Attributes
from apiserver.resources import deleting, internal
from apiserver.resources.api import Api
from apiserver.resources.options import DeleteOptions

log = structlog.get_logger("apiserver")

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
_RBAC_KINDS = (k.CLUSTERROLES, k.CLUSTERROLEBINDINGS, k.ROLES, k.ROLEBINDINGS)


def namespace(name: str) -> Json:
    """A namespace."""
    return {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}


def priority_classes() -> list[Json]:
    """The two classes that system pods name."""
    rows = (
        (
            "system-node-critical",
            2000001000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
        (
            "system-cluster-critical",
            2000000000,
            (
                "Used for system critical pods that must run in the cluster, but can be moved to another node if "
                "necessary."
            ),
        ),
    )
    head = {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1"}
    return [{**head, "metadata": {"name": name}, "value": value, "description": text} for name, value, text in rows]


def service_cidr(options: Options) -> Json:
    """The default ServiceCIDR."""
    return {
        "kind": "ServiceCIDR",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": options.service_cidrs},
    }


def service_cidr_status(now: str) -> Json:
    """The status that says that the default ServiceCIDR can be used."""
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": now,
    }
    return {"status": {"conditions": [condition]}}


def kubernetes_service(options: Options) -> Json:
    """The Service `kubernetes`: the API server, for pods."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": options.kubernetes_ip,
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": options.secure_port}],
            "sessionAffinity": "None",
        },
    }


def authentication_config(options: Options) -> Json:
    """How extension API servers recognise users and front proxies."""
    data = {}
    if options.client_ca:
        data["client-ca-file"] = options.client_ca.decode()
    if options.requestheader_ca:
        data |= {
            "requestheader-client-ca-file": options.requestheader_ca.decode(),
            "requestheader-allowed-names": _list(options.requestheader_allowed_names),
            "requestheader-username-headers": _list(options.requestheader_username_headers),
            "requestheader-group-headers": _list(options.requestheader_group_headers),
            "requestheader-extra-headers-prefix": _list(options.requestheader_extra_prefixes),
            "requestheader-uid-headers": _list(()),
        }
    meta = {"name": "extension-apiserver-authentication", "namespace": "kube-system"}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": data}


def _list(values: Sequence[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


async def ensure(api: Api, options: Options) -> None:
    """Make everything above be there. May be run by several servers at once, and again at each start."""
    for name in NAMESPACES:
        await _create(api, k.NAMESPACES, namespace(name))
    await _ensure_policy(api)
    for tree in priority_classes():
        await _create(api, k.PRIORITYCLASSES, tree)
    if await _create(api, k.SERVICECIDRS, service_cidr(options)):
        status = service_cidr_status(times.rfc3339(api.clock()))
        await internal.merge(api, k.SERVICECIDRS, "", "kubernetes", status, subresource="status")
    await api.fresh()  # the service's address is checked against the ServiceCIDR
    if api.lookup.get(k.SERVICES, "default", "kubernetes") is None:  # else its address is taken, by itself
        await internal.create(api, k.SERVICES, kubernetes_service(options))
    config = authentication_config(options)
    if not await _create(api, k.CONFIGMAPS, config):
        await internal.merge(api, k.CONFIGMAPS, "kube-system", config["metadata"]["name"], {"data": config["data"]})
    await _create(api, k.CONFIGMAPS, legacy_tokens.since(api.clock()))


async def _create(api: Api, kind: Kind, tree: Json) -> bool:
    """Create an object; False when it is there already, as it nearly always is: then nothing is written or asked."""
    meta = tree["metadata"]
    if api.lookup.get(kind, meta.get("namespace", ""), meta["name"]) is not None:
        return False
    return await internal.create(api, kind, tree)


async def _ensure_policy(api: Api) -> None:
    """Bring roles and bindings up to date."""
    await api.fresh()
    existing = [tree for kind in _RBAC_KINDS for tree in api.lookup.list(kind)]
    for step in reconcile.reconcile(existing, policy.objects()):
        kind = k.BY_KIND[step.tree["apiVersion"], step.tree["kind"]]
        if step.action == reconcile.UPDATE:
            await internal.replace(api, kind, step.tree)
            continue
        if step.action == reconcile.RECREATE:
            await _delete(api, kind, step.tree)
        await internal.create(api, kind, step.tree)


async def _delete(api: Api, kind: Kind, tree: Json) -> None:
    meta = tree["metadata"]
    resource = api.registry.of(kind)
    key = resource.stored.storage_key(meta.get("namespace", ""), meta["name"])
    attributes = Attributes(
        user=internal.USER, verb="delete", group=kind.group, version=kind.version, plural=kind.plural, name=meta["name"]
    )
    await deleting.remove(api, resource, key, DeleteOptions(), attributes)

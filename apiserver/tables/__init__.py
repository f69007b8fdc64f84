"""Server-side Tables: the columns of `kubectl get` for every built-in kind, and the cells of one object.

    columns(kind)          the TableColumnDefinitions
    row(kind, tree, now)   the cells, in the columns' order; pure

A kind without a table of its own (a review, a custom resource without printer columns) has NAME and CREATED AT.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from apimachinery import kinds as k
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.tables import cluster, network, others, pods, workloads
from apiserver.tables.table import Cells, Conditions, Order, Table

TABLES: Mapping[Kind, Table] = {
    k.PODS: pods.PODS,
    k.DEPLOYMENTS: workloads.DEPLOYMENTS,
    k.REPLICASETS: workloads.REPLICASETS,
    k.REPLICATIONCONTROLLERS: workloads.REPLICATIONCONTROLLERS,
    k.STATEFULSETS: workloads.STATEFULSETS,
    k.DAEMONSETS: workloads.DAEMONSETS,
    k.JOBS: workloads.JOBS,
    k.CRONJOBS: workloads.CRONJOBS,
    k.HORIZONTALPODAUTOSCALERS: workloads.HORIZONTALPODAUTOSCALERS,
    k.PODTEMPLATES: workloads.PODTEMPLATES,
    k.CONTROLLERREVISIONS: workloads.CONTROLLERREVISIONS,
    k.SERVICES: network.SERVICES,
    k.ENDPOINTS: network.ENDPOINTS,
    k.ENDPOINTSLICES: network.ENDPOINTSLICES,
    k.INGRESSES: network.INGRESSES,
    k.INGRESSCLASSES: network.INGRESSCLASSES,
    k.NETWORKPOLICIES: network.NETWORKPOLICIES,
    k.IPADDRESSES: network.IPADDRESSES,
    k.SERVICECIDRS: network.SERVICECIDRS,
    k.NODES: cluster.NODES,
    k.NAMESPACES: cluster.NAMESPACES,
    k.SECRETS: cluster.SECRETS,
    k.CONFIGMAPS: cluster.CONFIGMAPS,
    k.SERVICEACCOUNTS: cluster.SERVICEACCOUNTS,
    k.LEASES: cluster.LEASES,
    k.EVENTS: cluster.EVENTS,
    k.EVENTS_V1: cluster.EVENTS,
    k.RESOURCEQUOTAS: cluster.RESOURCEQUOTAS,
    k.LIMITRANGES: cluster.WITH_DATE,
    k.ROLES: cluster.WITH_DATE,
    k.CLUSTERROLES: cluster.WITH_DATE,
    k.ROLEBINDINGS: cluster.ROLEBINDINGS,
    k.CLUSTERROLEBINDINGS: cluster.ROLEBINDINGS,
    k.CERTIFICATESIGNINGREQUESTS: cluster.CERTIFICATESIGNINGREQUESTS,
    k.COMPONENTSTATUSES: cluster.COMPONENTSTATUSES,
    k.APISERVICES: cluster.APISERVICES,
    k.CUSTOMRESOURCEDEFINITIONS: cluster.WITH_DATE,
    k.PERSISTENTVOLUMES: others.PERSISTENTVOLUMES,
    k.PERSISTENTVOLUMECLAIMS: others.PERSISTENTVOLUMECLAIMS,
    k.STORAGECLASSES: others.STORAGECLASSES,
    k.CSIDRIVERS: others.CSIDRIVERS,
    k.CSINODES: others.CSINODES,
    k.CSISTORAGECAPACITIES: cluster.WITH_DATE,
    k.VOLUMEATTACHMENTS: others.VOLUMEATTACHMENTS,
    k.VOLUMEATTRIBUTESCLASSES: others.VOLUMEATTRIBUTESCLASSES,
    k.PODDISRUPTIONBUDGETS: others.PODDISRUPTIONBUDGETS,
    k.APISERVICES: others.APISERVICES,
    k.PRIORITYCLASSES: others.PRIORITYCLASSES,
    k.RUNTIMECLASSES: others.RUNTIMECLASSES,
    k.MUTATINGWEBHOOKCONFIGURATIONS: others.WEBHOOKCONFIGURATIONS,
    k.VALIDATINGWEBHOOKCONFIGURATIONS: others.WEBHOOKCONFIGURATIONS,
    k.VALIDATINGADMISSIONPOLICIES: others.VALIDATINGADMISSIONPOLICIES,
    k.VALIDATINGADMISSIONPOLICYBINDINGS: others.ADMISSIONPOLICYBINDINGS,
    k.MUTATINGADMISSIONPOLICIES: others.MUTATINGADMISSIONPOLICIES,
    k.MUTATINGADMISSIONPOLICYBINDINGS: others.ADMISSIONPOLICYBINDINGS,
    k.MUTATINGADMISSIONPOLICIES_V1ALPHA1: others.MUTATINGADMISSIONPOLICIES,
    k.MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1: others.ADMISSIONPOLICYBINDINGS,
    k.FLOWSCHEMAS: others.FLOWSCHEMAS,
    k.PRIORITYLEVELCONFIGURATIONS: others.PRIORITYLEVELCONFIGURATIONS,
    k.RESOURCECLAIMS: others.RESOURCECLAIMS,
    k.RESOURCECLAIMTEMPLATES: others.NAME_AND_AGE,
    k.DEVICECLASSES: others.NAME_AND_AGE,
    k.RESOURCESLICES: others.RESOURCESLICES,
}


def conditions(kind: Kind) -> Conditions | None:
    """What tells of an object's row whether it is done with; None for most kinds."""
    return TABLES.get(kind, cluster.WITH_DATE).conditions


def order(kind: Kind) -> Order | None:
    """By what the rows of a kind are sorted; None for the order of the list."""
    return TABLES.get(kind, cluster.WITH_DATE).order


def is_default(kind: Kind) -> bool:
    """Whether a kind has no printer of its own."""
    return TABLES.get(kind, cluster.WITH_DATE) is cluster.WITH_DATE


def columns(kind: Kind) -> list[Json]:
    """The column definitions of a kind's Table."""
    described = _descriptions()
    common, own = described[""], described.get(kind.resource, {})
    return [
        column.definition(own[column.name] if column.name in own else common.get(column.name, column.name))
        for column in TABLES.get(kind, cluster.WITH_DATE).columns
    ]


def description_of(column: str) -> str:
    """What most Tables say of a column."""
    return _descriptions()[""][column]


@cache
def _descriptions() -> Mapping[str, Mapping[str, str]]:
    """By resource and column; "" for what most resources say."""
    text = files(__package__).joinpath("descriptions.yaml").read_text()
    loaded: Mapping[str, Mapping[str, str]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


def row(kind: Kind, tree: Json, now: float) -> Cells:
    """The cells of one object; `now` in epoch seconds."""
    return TABLES.get(kind, cluster.WITH_DATE).cells(tree, now)

"""Which strategy belongs to which kind, one row each. A kind without a row (a review, say) has none of its own."""

from collections.abc import Mapping
from dataclasses import replace

from apimachinery import kinds, names
from apimachinery.errors import FieldError
from apimachinery.kinds import Kind
from apimachinery.meta import CHANGES, WHOLE
from apimachinery.types import Json
from apiserver.strategies import (
    autoscaling,
    certificates,
    claims,
    config,
    drivers,
    endpoints,
    events,
    extensions,
    flowcontrol,
    leases,
    limits,
    mutating_policies,
    namespaces,
    networking,
    nodes,
    persistence,
    policies,
    rbac,
    scheduling,
    services,
    webhooks,
)
from apiserver.strategies.defaulting import part
from apiserver.strategies.definitions import strategy as definitions
from apiserver.strategies.devices import strategy as devices
from apiserver.strategies.pod import alpha, warnings
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.pod.strategy import PODS
from apiserver.strategies.strategy import Strategy, as_sent
from apiserver.strategies.workloads import cronjobs, daemonsets, deployments, jobs, replicasets, statefulsets


def _default_template(tree: Json) -> Json:
    pod_template(part(tree, "template"))
    return tree


def _check_template(new: Json, _old: Json | None) -> list[FieldError]:
    return [*pods.template("template", new.get("template") or {})]


def _template_changed(new: Json, old: Json) -> bool:
    return new.get("template") != old.get("template")


def _template_warnings(new: Json, old: Json | None) -> list[str]:
    is_new = old is None or _template_changed(new, old)
    return warnings.template("template", new.get("template") or {}) if is_new else []


_PODTEMPLATES = Strategy(
    default=_default_template,
    prepare=as_sent,
    check=_check_template,
    has_generation=True,
    raises_generation=_template_changed,
    warnings=_template_warnings,
)

_ROWS: tuple[tuple[Kind, Strategy], ...] = (
    (kinds.PODS, PODS),
    (kinds.SERVICES, services.SERVICES),
    (kinds.NODES, nodes.NODES),
    (kinds.NAMESPACES, namespaces.NAMESPACES),
    (kinds.COMPONENTSTATUSES, Strategy(deprecated="v1 ComponentStatus is deprecated in v1.19+")),
    (kinds.CONFIGMAPS, config.CONFIGMAPS),
    (kinds.SECRETS, config.SECRETS),
    (kinds.SERVICEACCOUNTS, config.SERVICEACCOUNTS),
    (kinds.ENDPOINTS, endpoints.ENDPOINTS),
    (kinds.ENDPOINTSLICES, endpoints.ENDPOINTSLICES),
    (kinds.EVENTS, events.EVENTS),
    (kinds.EVENTS_V1, events.EVENTS_V1),
    (kinds.LEASES, leases.LEASES),
    (kinds.LIMITRANGES, limits.LIMITRANGES),
    (kinds.RESOURCEQUOTAS, limits.RESOURCEQUOTAS),
    (kinds.PERSISTENTVOLUMECLAIMS, claims.PERSISTENTVOLUMECLAIMS),
    (kinds.PERSISTENTVOLUMES, persistence.PERSISTENTVOLUMES),
    (kinds.STORAGECLASSES, persistence.STORAGECLASSES),
    (kinds.PODTEMPLATES, _PODTEMPLATES),
    (kinds.REPLICATIONCONTROLLERS, replicasets.REPLICATIONCONTROLLERS),
    (kinds.REPLICASETS, replicasets.REPLICASETS),
    (kinds.DEPLOYMENTS, deployments.DEPLOYMENTS),
    (kinds.DAEMONSETS, daemonsets.DAEMONSETS),
    (kinds.STATEFULSETS, statefulsets.STATEFULSETS),
    (kinds.CONTROLLERREVISIONS, statefulsets.CONTROLLERREVISIONS),
    (kinds.JOBS, jobs.JOBS),
    (kinds.CRONJOBS, cronjobs.CRONJOBS),
    (kinds.HORIZONTALPODAUTOSCALERS, autoscaling.HORIZONTALPODAUTOSCALERS),
    (kinds.HORIZONTALPODAUTOSCALERS_V1, autoscaling.HORIZONTALPODAUTOSCALERS_V1),
    (kinds.ROLES, rbac.ROLES),
    (kinds.CLUSTERROLES, rbac.CLUSTERROLES),
    (kinds.ROLEBINDINGS, rbac.ROLEBINDINGS),
    (kinds.CLUSTERROLEBINDINGS, rbac.CLUSTERROLEBINDINGS),
    (kinds.CERTIFICATESIGNINGREQUESTS, certificates.CERTIFICATESIGNINGREQUESTS),
    (kinds.INGRESSES, networking.INGRESSES),
    (kinds.INGRESSCLASSES, networking.INGRESSCLASSES),
    (kinds.NETWORKPOLICIES, networking.NETWORKPOLICIES),
    (kinds.IPADDRESSES, networking.IPADDRESSES),
    (kinds.SERVICECIDRS, networking.SERVICECIDRS),
    (kinds.PODDISRUPTIONBUDGETS, scheduling.PODDISRUPTIONBUDGETS),
    (kinds.PRIORITYCLASSES, scheduling.PRIORITYCLASSES),
    (kinds.RUNTIMECLASSES, scheduling.RUNTIMECLASSES),
    (kinds.MUTATINGWEBHOOKCONFIGURATIONS, webhooks.MUTATINGWEBHOOKCONFIGURATIONS),
    (kinds.VALIDATINGWEBHOOKCONFIGURATIONS, webhooks.VALIDATINGWEBHOOKCONFIGURATIONS),
    (kinds.VALIDATINGADMISSIONPOLICIES, policies.VALIDATINGADMISSIONPOLICIES),
    (kinds.VALIDATINGADMISSIONPOLICYBINDINGS, policies.VALIDATINGADMISSIONPOLICYBINDINGS),
    (kinds.MUTATINGADMISSIONPOLICIES_V1ALPHA1, mutating_policies.MUTATINGADMISSIONPOLICIES),
    (kinds.MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1, mutating_policies.MUTATINGADMISSIONPOLICYBINDINGS),
    (kinds.CUSTOMRESOURCEDEFINITIONS, definitions.CUSTOMRESOURCEDEFINITIONS),
    (kinds.APISERVICES, extensions.APISERVICES),
    (kinds.CSIDRIVERS, drivers.CSIDRIVERS),
    (kinds.CSINODES, drivers.CSINODES),
    (kinds.CSISTORAGECAPACITIES, drivers.CSISTORAGECAPACITIES),
    (kinds.VOLUMEATTACHMENTS, drivers.VOLUMEATTACHMENTS),
    (kinds.VOLUMEATTRIBUTESCLASSES, drivers.VOLUMEATTRIBUTESCLASSES),
    (kinds.RESOURCECLAIMS, devices.RESOURCECLAIMS),
    (kinds.RESOURCECLAIMTEMPLATES, devices.RESOURCECLAIMTEMPLATES),
    (kinds.DEVICECLASSES, devices.DEVICECLASSES),
    (kinds.RESOURCESLICES, devices.RESOURCESLICES),
    (kinds.FLOWSCHEMAS, flowcontrol.FLOWSCHEMAS),
    (kinds.PRIORITYLEVELCONFIGURATIONS, flowcontrol.PRIORITYLEVELCONFIGURATIONS),
)

#: Their storage has upstream's ReturnDeletedObject; generated clients decode a delete's answer as the object.
_SHOWN_WHEN_DELETED = (
    kinds.SERVICES,
    kinds.SERVICEACCOUNTS,
    kinds.RESOURCEQUOTAS,
    kinds.PERSISTENTVOLUMECLAIMS,
    kinds.PERSISTENTVOLUMES,
    kinds.PODTEMPLATES,
    kinds.STORAGECLASSES,
    kinds.CSIDRIVERS,
    kinds.CSINODES,
    kinds.VOLUMEATTACHMENTS,
    kinds.VOLUMEATTRIBUTESCLASSES,
    kinds.RESOURCECLAIMS,
    kinds.RESOURCECLAIMTEMPLATES,
    kinds.DEVICECLASSES,
    kinds.RESOURCESLICES,
)

#: How the validation of an update looks at the metadata, where that is not for changes only, once.
_METADATA_CHECKS: Mapping[tuple[str, ...], tuple[Kind, ...]] = {
    (): (kinds.EVENTS, kinds.PODDISRUPTIONBUDGETS),
    (WHOLE,): (
        kinds.JOBS,  # which looks at the changes itself, later on
        kinds.ENDPOINTSLICES,
        kinds.LIMITRANGES,
        kinds.MUTATINGWEBHOOKCONFIGURATIONS,
        kinds.VALIDATINGWEBHOOKCONFIGURATIONS,
        kinds.VALIDATINGADMISSIONPOLICIES,
        kinds.VALIDATINGADMISSIONPOLICYBINDINGS,
        kinds.MUTATINGADMISSIONPOLICIES_V1ALPHA1,
        kinds.MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1,
        kinds.FLOWSCHEMAS,
        kinds.PRIORITYLEVELCONFIGURATIONS,
    ),
    (WHOLE, WHOLE): (kinds.PERSISTENTVOLUMES, kinds.CSINODES, kinds.VOLUMEATTACHMENTS),
    (CHANGES, WHOLE): (
        kinds.CONFIGMAPS,
        kinds.SECRETS,
        kinds.SERVICEACCOUNTS,
        kinds.ENDPOINTS,
        kinds.INGRESSCLASSES,
        kinds.APISERVICES,
    ),
    (WHOLE, CHANGES): (
        kinds.NODES,
        kinds.NAMESPACES,
        kinds.REPLICATIONCONTROLLERS,
        kinds.CERTIFICATESIGNINGREQUESTS,
        kinds.NETWORKPOLICIES,
        kinds.IPADDRESSES,
        kinds.RUNTIMECLASSES,
        kinds.STORAGECLASSES,
        kinds.CSISTORAGECAPACITIES,
        kinds.RESOURCECLAIMS,
        kinds.RESOURCECLAIMTEMPLATES,
        kinds.DEVICECLASSES,
    ),
    (WHOLE, CHANGES, WHOLE): (
        kinds.VOLUMEATTRIBUTESCLASSES,
        kinds.PERSISTENTVOLUMECLAIMS,
    ),
    (WHOLE, WHOLE, CHANGES): (kinds.ROLES, kinds.ROLEBINDINGS, kinds.CLUSTERROLES, kinds.CLUSTERROLEBINDINGS),
}


#: Kinds whose validation of a status leaves the metadata out.
_STATUS_ALONE = (
    kinds.PODDISRUPTIONBUDGETS,
    kinds.CRONJOBS,
    kinds.FLOWSCHEMAS,
    kinds.PRIORITYLEVELCONFIGURATIONS,
    kinds.VOLUMEATTACHMENTS,
    kinds.VALIDATINGADMISSIONPOLICIES,
)

#: Where an object has the spec of pods.
_POD_SPECS: Mapping[Kind, str] = {
    kinds.PODS: "spec",
    kinds.PODTEMPLATES: "template.spec",
    kinds.CRONJOBS: "spec.jobTemplate.spec.template.spec",
    **dict.fromkeys(
        (
            kinds.REPLICATIONCONTROLLERS,
            kinds.REPLICASETS,
            kinds.DEPLOYMENTS,
            kinds.DAEMONSETS,
            kinds.STATEFULSETS,
            kinds.JOBS,
        ),
        "spec.template.spec",
    ),
}


def _completed(kind: Kind, strategy: Strategy) -> Strategy:
    found = next((checks for checks, those in _METADATA_CHECKS.items() if kind in those), strategy.metadata_checks)
    shows_deleted = strategy.shows_deleted or kind in _SHOWN_WHEN_DELETED
    prepare = alpha.dropping(_POD_SPECS[kind], strategy.prepare) if kind in _POD_SPECS else strategy.prepare
    of_status = () if kind in _STATUS_ALONE else strategy.status_metadata_checks
    return replace(
        strategy,
        shows_deleted=shows_deleted,
        metadata_checks=found,
        status_metadata_checks=of_status,
        prepare=prepare,
    )


STRATEGIES: Mapping[Kind, Strategy] = {kind: _completed(kind, strategy) for kind, strategy in _ROWS}

#: Kinds that are answered and not kept, and those whose objects are stored as they come.
PLAIN = Strategy(prepare=as_sent, name=names.path_segment_name)


def strategy_of_version(kind: Kind, stored: Kind) -> Strategy:
    """The rules for objects of a kind that are stored as another; a version may have checks and labels of its own."""
    own, base = STRATEGIES.get(kind), strategy_of(stored)
    if own is None or kind is stored:
        return base
    return replace(
        base,
        check=own.check,
        fields=own.fields,
        field_labels=own.field_labels,
        metadata_checks=own.metadata_checks,
        any_finalizer=own.any_finalizer,
        metadata_last=own.metadata_last,
        name=own.name,
    )


def strategy_of(kind: Kind) -> Strategy:
    """The kind's strategy; `PLAIN` where the kind has no rules of its own."""
    return STRATEGIES.get(kind, PLAIN)

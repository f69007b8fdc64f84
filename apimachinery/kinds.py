"""The table of kinds: every built-in kind of Kubernetes v1.34 that is served by default, one row each, and a few more.

A row says where a kind lives on the wire and in etcd, and how people may call it; nothing about how it behaves (the
API server's strategies do that). A CustomResourceDefinition becomes a `Kind` of the same shape at run time. Generic
code takes a `Kind` and never looks at its name.
Sources: the discovery documents of v1.34, pkg/kubeapiserver/default_storage_factory_builder.go for the etcd prefixes.
"""

from dataclasses import dataclass, replace

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE_ONLY = ("create",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind in one version: its coordinate on the wire, its key in etcd, its names for people."""

    group: str = ""
    version: str = "v1"
    kind: str
    plural: str
    singular: str = ""  # defaults to the lower-case kind
    list_kind: str = ""  # defaults to the kind and `List`
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    #: etcd folder under /registry/, where it is not the plural (or GROUP/PLURAL for custom resources).
    prefix: str = ""
    #: The version that is stored. Rows of one group and plural with another storage_version are served by conversion.
    storage_version: str = ""
    #: Event of events.k8s.io and of the core group are one stored resource: the group whose row is stored.
    storage_group: str | None = None

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group: the value of `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular_name(self) -> str:
        """The singular that kubectl accepts and prints."""
        return self.singular or self.kind.lower()

    @property
    def list_name(self) -> str:
        """The kind of a list."""
        return self.list_kind or f"{self.kind}List"

    @property
    def resource(self) -> str:
        """`deployments.apps`: how messages and `kubectl -o name` call the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_stored(self) -> bool:
        """Whether objects of the kind are kept (reviews and bindings are answered and forgotten)."""
        return "get" in self.verbs

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, the object or its subresource; no escaping beyond what names allow."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)

    def storage_prefix(self) -> str:
        """`/registry/pods/`: under which every object of the kind lies in etcd."""
        return f"/registry/{self.prefix or self.plural}/"

    def storage_key(self, namespace: str, name: str) -> str:
        """The etcd key of one object, as upstream writes it."""
        return self.storage_prefix() + (f"{namespace}/{name}" if self.namespaced else name)


ALL = ("all",)

BINDINGS = Kind(kind="Binding", plural="bindings", verbs=CREATE_ONLY)
COMPONENTSTATUSES = Kind(
    kind="ComponentStatus", plural="componentstatuses", namespaced=False, short=("cs",), verbs=("get", "list")
)
CONFIGMAPS = Kind(kind="ConfigMap", plural="configmaps", short=("cm",))
ENDPOINTS = Kind(kind="Endpoints", plural="endpoints", singular="endpoints", short=("ep",), prefix="services/endpoints")
EVENTS = Kind(kind="Event", plural="events", short=("ev",))
LIMITRANGES = Kind(kind="LimitRange", plural="limitranges", short=("limits",))
NAMESPACES = Kind(
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short=("ns",),
    subresources=("finalize", "status"),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)
NODES = Kind(
    kind="Node",
    plural="nodes",
    namespaced=False,
    short=("no",),
    prefix="minions",
    subresources=("proxy", "status"),
)
PERSISTENTVOLUMECLAIMS = Kind(
    kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short=("pvc",), subresources=("status",)
)
PERSISTENTVOLUMES = Kind(
    kind="PersistentVolume",
    plural="persistentvolumes",
    namespaced=False,
    short=("pv",),
    subresources=("status",),
)
PODS = Kind(
    kind="Pod",
    plural="pods",
    short=("po",),
    categories=ALL,
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
        "status",
    ),
)
PODTEMPLATES = Kind(kind="PodTemplate", plural="podtemplates")
REPLICATIONCONTROLLERS = Kind(
    kind="ReplicationController",
    plural="replicationcontrollers",
    short=("rc",),
    categories=ALL,
    subresources=("scale", "status"),
    prefix="controllers",
)
RESOURCEQUOTAS = Kind(kind="ResourceQuota", plural="resourcequotas", short=("quota",), subresources=("status",))
SECRETS = Kind(kind="Secret", plural="secrets")
SERVICEACCOUNTS = Kind(kind="ServiceAccount", plural="serviceaccounts", short=("sa",), subresources=("token",))
SERVICES = Kind(
    kind="Service",
    plural="services",
    short=("svc",),
    categories=ALL,
    subresources=("proxy", "status"),
    prefix="services/specs",
)

_ADMISSION = "admissionregistration.k8s.io"
MUTATINGWEBHOOKCONFIGURATIONS = Kind(
    group=_ADMISSION,
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
    categories=("api-extensions",),
)
VALIDATINGWEBHOOKCONFIGURATIONS = Kind(
    group=_ADMISSION,
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
    categories=("api-extensions",),
)
VALIDATINGADMISSIONPOLICIES = Kind(
    group=_ADMISSION,
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    subresources=("status",),
)
VALIDATINGADMISSIONPOLICYBINDINGS = Kind(
    group=_ADMISSION,
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
)

CUSTOMRESOURCEDEFINITIONS = Kind(
    group="apiextensions.k8s.io",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
    short=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
    prefix="apiextensions.k8s.io/customresourcedefinitions",
)
APISERVICES = Kind(
    group="apiregistration.k8s.io",
    kind="APIService",
    plural="apiservices",
    namespaced=False,
    categories=("api-extensions",),
    subresources=("status",),
    prefix="apiregistration.k8s.io/apiservices",
)

CONTROLLERREVISIONS = Kind(group="apps", kind="ControllerRevision", plural="controllerrevisions")
DAEMONSETS = Kind(
    group="apps", kind="DaemonSet", plural="daemonsets", short=("ds",), categories=ALL, subresources=("status",)
)
DEPLOYMENTS = Kind(
    group="apps",
    kind="Deployment",
    plural="deployments",
    short=("deploy",),
    categories=ALL,
    subresources=("scale", "status"),
)
REPLICASETS = Kind(
    group="apps",
    kind="ReplicaSet",
    plural="replicasets",
    short=("rs",),
    categories=ALL,
    subresources=("scale", "status"),
)
STATEFULSETS = Kind(
    group="apps",
    kind="StatefulSet",
    plural="statefulsets",
    short=("sts",),
    categories=ALL,
    subresources=("scale", "status"),
)

_AUTHN = "authentication.k8s.io"
SELFSUBJECTREVIEWS = Kind(
    group=_AUTHN, kind="SelfSubjectReview", plural="selfsubjectreviews", namespaced=False, verbs=CREATE_ONLY
)
TOKENREVIEWS = Kind(group=_AUTHN, kind="TokenReview", plural="tokenreviews", namespaced=False, verbs=CREATE_ONLY)
_AUTHZ = "authorization.k8s.io"
LOCALSUBJECTACCESSREVIEWS = Kind(
    group=_AUTHZ, kind="LocalSubjectAccessReview", plural="localsubjectaccessreviews", verbs=CREATE_ONLY
)
SELFSUBJECTACCESSREVIEWS = Kind(
    group=_AUTHZ,
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
    verbs=CREATE_ONLY,
)
SELFSUBJECTRULESREVIEWS = Kind(
    group=_AUTHZ,
    kind="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    namespaced=False,
    verbs=CREATE_ONLY,
)
SUBJECTACCESSREVIEWS = Kind(
    group=_AUTHZ,
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    namespaced=False,
    verbs=CREATE_ONLY,
)

HORIZONTALPODAUTOSCALERS = Kind(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    short=("hpa",),
    categories=ALL,
    subresources=("status",),
    storage_version="v2",
)
HORIZONTALPODAUTOSCALERS_V1 = Kind(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    short=("hpa",),
    categories=ALL,
    subresources=("status",),
    storage_version="v2",
)

CRONJOBS = Kind(
    group="batch", kind="CronJob", plural="cronjobs", short=("cj",), categories=ALL, subresources=("status",)
)
JOBS = Kind(group="batch", kind="Job", plural="jobs", categories=ALL, subresources=("status",))

CERTIFICATESIGNINGREQUESTS = Kind(
    group="certificates.k8s.io",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    namespaced=False,
    short=("csr",),
    subresources=("approval", "status"),
)
LEASES = Kind(group="coordination.k8s.io", kind="Lease", plural="leases")
ENDPOINTSLICES = Kind(group="discovery.k8s.io", kind="EndpointSlice", plural="endpointslices")
EVENTS_V1 = Kind(
    group="events.k8s.io", kind="Event", plural="events", short=("ev",), storage_group="", storage_version="v1"
)

_FLOW = "flowcontrol.apiserver.k8s.io"
FLOWSCHEMAS = Kind(group=_FLOW, kind="FlowSchema", plural="flowschemas", namespaced=False, subresources=("status",))
PRIORITYLEVELCONFIGURATIONS = Kind(
    group=_FLOW,
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    namespaced=False,
    subresources=("status",),
)

_NETWORKING = "networking.k8s.io"
INGRESSCLASSES = Kind(group=_NETWORKING, kind="IngressClass", plural="ingressclasses", namespaced=False)
INGRESSES = Kind(
    group=_NETWORKING,
    kind="Ingress",
    plural="ingresses",
    short=("ing",),
    subresources=("status",),
    prefix="ingress",
)
IPADDRESSES = Kind(group=_NETWORKING, kind="IPAddress", plural="ipaddresses", namespaced=False, short=("ip",))
NETWORKPOLICIES = Kind(group=_NETWORKING, kind="NetworkPolicy", plural="networkpolicies", short=("netpol",))
SERVICECIDRS = Kind(
    group=_NETWORKING, kind="ServiceCIDR", plural="servicecidrs", namespaced=False, subresources=("status",)
)

RUNTIMECLASSES = Kind(group="node.k8s.io", kind="RuntimeClass", plural="runtimeclasses", namespaced=False)
PODDISRUPTIONBUDGETS = Kind(
    group="policy",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    short=("pdb",),
    subresources=("status",),
)

_RBAC = "rbac.authorization.k8s.io"
CLUSTERROLEBINDINGS = Kind(group=_RBAC, kind="ClusterRoleBinding", plural="clusterrolebindings", namespaced=False)
CLUSTERROLES = Kind(group=_RBAC, kind="ClusterRole", plural="clusterroles", namespaced=False)
ROLEBINDINGS = Kind(group=_RBAC, kind="RoleBinding", plural="rolebindings")
ROLES = Kind(group=_RBAC, kind="Role", plural="roles")

_RESOURCE = "resource.k8s.io"
DEVICECLASSES = Kind(group=_RESOURCE, kind="DeviceClass", plural="deviceclasses", namespaced=False)
RESOURCECLAIMS = Kind(group=_RESOURCE, kind="ResourceClaim", plural="resourceclaims", subresources=("status",))
RESOURCECLAIMTEMPLATES = Kind(group=_RESOURCE, kind="ResourceClaimTemplate", plural="resourceclaimtemplates")
RESOURCESLICES = Kind(group=_RESOURCE, kind="ResourceSlice", plural="resourceslices", namespaced=False)

PRIORITYCLASSES = Kind(
    group="scheduling.k8s.io", kind="PriorityClass", plural="priorityclasses", namespaced=False, short=("pc",)
)

_STORAGE = "storage.k8s.io"
CSIDRIVERS = Kind(group=_STORAGE, kind="CSIDriver", plural="csidrivers", namespaced=False)
CSINODES = Kind(group=_STORAGE, kind="CSINode", plural="csinodes", namespaced=False)
CSISTORAGECAPACITIES = Kind(group=_STORAGE, kind="CSIStorageCapacity", plural="csistoragecapacities")
STORAGECLASSES = Kind(group=_STORAGE, kind="StorageClass", plural="storageclasses", namespaced=False, short=("sc",))
VOLUMEATTACHMENTS = Kind(
    group=_STORAGE,
    kind="VolumeAttachment",
    plural="volumeattachments",
    namespaced=False,
    subresources=("status",),
)
VOLUMEATTRIBUTESCLASSES = Kind(
    group=_STORAGE,
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    namespaced=False,
    short=("vac",),
)

#: Every built-in kind, the core group first, then in the order of upstream's discovery documents.
KINDS: tuple[Kind, ...] = tuple(row for row in list(globals().values()) if isinstance(row, Kind))

MUTATINGADMISSIONPOLICIES = Kind(
    group=_ADMISSION,
    version="v1beta1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    storage_version="v1alpha1",
)
MUTATINGADMISSIONPOLICYBINDINGS = Kind(
    group=_ADMISSION,
    version="v1beta1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
    storage_version="v1alpha1",
)
MUTATINGADMISSIONPOLICIES_V1ALPHA1 = replace(MUTATINGADMISSIONPOLICIES, version="v1alpha1")
MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1 = replace(MUTATINGADMISSIONPOLICYBINDINGS, version="v1alpha1")

#: What v1.34 has besides, and serves only when it is asked to (--runtime-config).
ON_REQUEST: tuple[Kind, ...] = (
    MUTATINGADMISSIONPOLICIES,
    MUTATINGADMISSIONPOLICYBINDINGS,
    MUTATINGADMISSIONPOLICIES_V1ALPHA1,
    MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1,
)
#: Every kind that this server can serve.
KNOWN: tuple[Kind, ...] = (*KINDS, *ON_REQUEST)

BY_RESOURCE: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KNOWN}
BY_KIND: dict[tuple[str, str], Kind] = {(k.api_version, k.kind): k for k in KNOWN}

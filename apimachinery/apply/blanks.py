"""What an object is before anything is said of it: the zero value of its Go type, as Go writes it.

A create is a change from this. The parts that every object of a kind has (its spec, a pod template's containers) are
therefore nobody's, while those that somebody brings are owned by who brought them.
Facts of k8s.io/api v0.34, for the kinds that are served; a custom resource begins as nothing.
"""

from apimachinery.kinds import Kind
from apimachinery.types import Json

_TEMPLATE: Json = {"metadata": {}, "spec": {"containers": None}}
#: By apiVersion and kind; all have metadata besides.
_BLANKS: dict[tuple[str, str], Json] = {
    ("v1", "Binding"): {"target": {}},
    ("v1", "Event"): {
        "eventTime": None,
        "firstTimestamp": None,
        "involvedObject": {},
        "lastTimestamp": None,
        "reportingComponent": "",
        "reportingInstance": "",
        "source": {},
    },
    ("v1", "LimitRange"): {"spec": {"limits": None}},
    ("v1", "Namespace"): {"spec": {}, "status": {}},
    ("v1", "Node"): {
        "spec": {},
        "status": {
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": {
                "architecture": "",
                "bootID": "",
                "containerRuntimeVersion": "",
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "kubeletVersion": "",
                "machineID": "",
                "operatingSystem": "",
                "osImage": "",
                "systemUUID": "",
            },
        },
    },
    ("v1", "PersistentVolumeClaim"): {"spec": {"resources": {}}, "status": {}},
    ("v1", "PersistentVolume"): {"spec": {}, "status": {}},
    ("v1", "Pod"): {"spec": {"containers": None}, "status": {}},
    ("v1", "PodTemplate"): {"template": _TEMPLATE},
    ("v1", "ReplicationController"): {"spec": {}, "status": {"replicas": 0}},
    ("v1", "ResourceQuota"): {"spec": {}, "status": {}},
    ("v1", "Service"): {"spec": {}, "status": {"loadBalancer": {}}},
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): {"spec": {}, "status": {}},
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): {"spec": {}},
    ("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy"): {"spec": {}},
    ("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicyBinding"): {"spec": {}},
    ("admissionregistration.k8s.io/v1alpha1", "MutatingAdmissionPolicy"): {"spec": {}},
    ("admissionregistration.k8s.io/v1alpha1", "MutatingAdmissionPolicyBinding"): {"spec": {}},
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {"status": {"userInfo": {}}},
    ("authentication.k8s.io/v1", "TokenRequest"): {
        "spec": {"audiences": None, "boundObjectRef": None, "expirationSeconds": None},
        "status": {"expirationTimestamp": None, "token": ""},
    },
    ("authentication.k8s.io/v1", "TokenReview"): {"spec": {}, "status": {"user": {}}},
    ("authorization.k8s.io/v1", "LocalSubjectAccessReview"): {"spec": {}, "status": {"allowed": False}},
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {"spec": {}, "status": {"allowed": False}},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {
        "spec": {},
        "status": {"incomplete": False, "nonResourceRules": None, "resourceRules": None},
    },
    ("authorization.k8s.io/v1", "SubjectAccessReview"): {"spec": {}, "status": {"allowed": False}},
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): {
        "spec": {"group": "", "names": {"kind": "", "plural": ""}, "scope": "", "versions": None},
        "status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": None, "storedVersions": None},
    },
    ("apiregistration.k8s.io/v1", "APIService"): {
        "spec": {"groupPriorityMinimum": 0, "versionPriority": 0},
        "status": {},
    },
    ("apps/v1", "ControllerRevision"): {"data": None, "revision": 0},
    ("apps/v1", "DaemonSet"): {
        "spec": {"selector": None, "template": _TEMPLATE, "updateStrategy": {}},
        "status": {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0},
    },
    ("apps/v1", "Deployment"): {"spec": {"selector": None, "strategy": {}, "template": _TEMPLATE}, "status": {}},
    ("apps/v1", "ReplicaSet"): {"spec": {"selector": None, "template": _TEMPLATE}, "status": {"replicas": 0}},
    ("apps/v1", "StatefulSet"): {
        "spec": {"selector": None, "serviceName": "", "template": _TEMPLATE, "updateStrategy": {}},
        "status": {"availableReplicas": 0, "replicas": 0},
    },
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "", "name": ""}},
        "status": {"currentMetrics": None, "desiredReplicas": 0},
    },
    ("autoscaling/v1", "HorizontalPodAutoscaler"): {
        "spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "", "name": ""}},
        "status": {"currentReplicas": 0, "desiredReplicas": 0},
    },
    ("batch/v1", "CronJob"): {
        "spec": {"jobTemplate": {"metadata": {}, "spec": {"template": _TEMPLATE}}, "schedule": ""},
        "status": {},
    },
    ("batch/v1", "Job"): {"spec": {"template": _TEMPLATE}, "status": {}},
    ("certificates.k8s.io/v1", "CertificateSigningRequest"): {
        "spec": {"request": None, "signerName": ""},
        "status": {},
    },
    ("coordination.k8s.io/v1", "Lease"): {"spec": {}},
    ("discovery.k8s.io/v1", "EndpointSlice"): {"addressType": "", "endpoints": None, "ports": None},
    ("events.k8s.io/v1", "Event"): {
        "deprecatedFirstTimestamp": None,
        "deprecatedLastTimestamp": None,
        "deprecatedSource": {},
        "eventTime": None,
        "regarding": {},
    },
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"): {
        "spec": {"matchingPrecedence": 0, "priorityLevelConfiguration": {"name": ""}},
        "status": {},
    },
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration"): {"spec": {"type": ""}, "status": {}},
    ("networking.k8s.io/v1", "IngressClass"): {"spec": {}},
    ("networking.k8s.io/v1", "Ingress"): {"spec": {}, "status": {"loadBalancer": {}}},
    ("networking.k8s.io/v1", "IPAddress"): {"spec": {}},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": {"podSelector": {}}},
    ("networking.k8s.io/v1", "ServiceCIDR"): {"spec": {}, "status": {}},
    ("node.k8s.io/v1", "RuntimeClass"): {"handler": ""},
    ("policy/v1", "PodDisruptionBudget"): {
        "spec": {},
        "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
    },
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): {"roleRef": {"apiGroup": "", "kind": "", "name": ""}},
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): {"rules": None},
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): {"roleRef": {"apiGroup": "", "kind": "", "name": ""}},
    ("rbac.authorization.k8s.io/v1", "Role"): {"rules": None},
    ("resource.k8s.io/v1", "DeviceClass"): {"spec": {}},
    ("resource.k8s.io/v1", "ResourceClaim"): {"spec": {"devices": {"requests": None}}, "status": {}},
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): {
        "spec": {"metadata": {}, "spec": {"devices": {"requests": None}}}
    },
    ("resource.k8s.io/v1", "ResourceSlice"): {
        "spec": {"devices": None, "driver": "", "pool": {"generation": 0, "name": "", "resourceSliceCount": 0}}
    },
    ("scheduling.k8s.io/v1", "PriorityClass"): {"value": 0},
    ("storage.k8s.io/v1", "CSIDriver"): {"spec": {}},
    ("storage.k8s.io/v1", "CSINode"): {"spec": {"drivers": None}},
    ("storage.k8s.io/v1", "CSIStorageCapacity"): {"storageClassName": ""},
    ("storage.k8s.io/v1", "StorageClass"): {"provisioner": ""},
    ("storage.k8s.io/v1", "VolumeAttachment"): {
        "spec": {"attacher": "", "nodeName": "", "source": {}},
        "status": {"attached": False},
    },
    ("storage.k8s.io/v1", "VolumeAttributesClass"): {"driverName": ""},
    ("autoscaling/v1", "Scale"): {"spec": {}, "status": {"replicas": 0}},
}


def blank(kind: Kind) -> Json:
    """The blank object of a built-in kind. Not to be modified."""
    head: Json = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}}
    return head | _BLANKS.get((kind.api_version, kind.kind), {})


def custom_blank(kind: Kind) -> Json:
    """The blank object of a custom resource: only what says what it is."""
    return {"kind": kind.kind, "apiVersion": kind.api_version}

"""One good object of (nearly) every kind, as a user would write it: what the tests of strategies and tables share."""

from apimachinery import kinds as k

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
SELECTOR = {"matchLabels": {"app": "web"}}
ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
RBAC = "rbac.authorization.k8s.io"

SAMPLES = {
    k.PODS: {"spec": TEMPLATE["spec"]},
    k.SERVICES: {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    k.NODES: {},
    k.NAMESPACES: {},
    k.CONFIGMAPS: {"data": {"a": "b"}},
    k.SECRETS: {"stringData": {"a": "b"}},
    k.SERVICEACCOUNTS: {},
    k.ENDPOINTS: {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    k.ENDPOINTSLICES: {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    k.EVENTS: {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Started"},
    k.LEASES: {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}},
    k.LIMITRANGES: {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    k.RESOURCEQUOTAS: {"spec": {"hard": {"pods": "2", "requests.cpu": "1", "count/deployments.apps": "3"}}},
    k.PERSISTENTVOLUMECLAIMS: {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    k.PERSISTENTVOLUMES: {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    k.STORAGECLASSES: {"provisioner": "example.com/p"},
    k.PODTEMPLATES: {"template": TEMPLATE},
    k.REPLICATIONCONTROLLERS: {"spec": {"template": TEMPLATE}},
    k.REPLICASETS: {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    k.DEPLOYMENTS: {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    k.DAEMONSETS: {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    k.STATEFULSETS: {"spec": {"selector": SELECTOR, "template": TEMPLATE, "serviceName": "web"}},
    k.CONTROLLERREVISIONS: {"data": {}, "revision": 1},
    k.JOBS: {"spec": {"template": ONCE}},
    k.CRONJOBS: {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}},
    k.HORIZONTALPODAUTOSCALERS: {
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}
    },
    k.ROLES: {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]},
    k.CLUSTERROLES: {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
    k.ROLEBINDINGS: {
        "roleRef": {"kind": "Role", "name": "r", "apiGroup": RBAC},
        "subjects": [{"kind": "User", "name": "u"}],
    },
    k.CLUSTERROLEBINDINGS: {
        "roleRef": {"kind": "ClusterRole", "name": "r", "apiGroup": RBAC},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "default"}],
    },
    k.INGRESSES: {
        "spec": {
            "rules": [
                {
                    "host": "a.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        }
    },
    k.INGRESSCLASSES: {"spec": {"controller": "example.com/c"}},
    k.NETWORKPOLICIES: {"spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": SELECTOR}]}]}},
    k.SERVICECIDRS: {"spec": {"cidrs": ["10.0.0.0/24"]}},
    k.PODDISRUPTIONBUDGETS: {"spec": {"minAvailable": "50%", "selector": SELECTOR}},
    k.PRIORITYCLASSES: {"value": 5},
    k.RUNTIMECLASSES: {"handler": "runc"},
    k.MUTATINGWEBHOOKCONFIGURATIONS: {
        "webhooks": [
            {
                "name": "a.example.com",
                "clientConfig": {"service": {"name": "s", "namespace": "n"}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ]
    },
    k.VALIDATINGWEBHOOKCONFIGURATIONS: {"webhooks": []},
    k.VALIDATINGADMISSIONPOLICIES: {
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ]
            },
            "validations": [{"expression": "true"}],
        }
    },
    k.VALIDATINGADMISSIONPOLICYBINDINGS: {"spec": {"policyName": "p", "validationActions": ["Deny"]}},
    k.CSIDRIVERS: {},
    k.CSINODES: {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}},
    k.CSISTORAGECAPACITIES: {"storageClassName": "s"},
    k.VOLUMEATTACHMENTS: {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}},
    k.VOLUMEATTRIBUTESCLASSES: {"driverName": "d", "parameters": {"a": "b"}},
    k.RESOURCECLAIMS: {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "d"}}]}}},
    k.RESOURCECLAIMTEMPLATES: {"spec": {"spec": {}}},
    k.DEVICECLASSES: {"spec": {}},
    k.RESOURCESLICES: {
        "spec": {"driver": "d.example.com", "nodeName": "n", "pool": {"name": "p", "resourceSliceCount": 1}}
    },
    k.FLOWSCHEMAS: {
        "spec": {
            "priorityLevelConfiguration": {"name": "p"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "u"}}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                }
            ],
        }
    },
    k.PRIORITYLEVELCONFIGURATIONS: {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}},
    k.APISERVICES: {
        "metadata": {"name": "v1.example.com"},
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "service": {"name": "s", "namespace": "n"},
        },
    },
    k.CUSTOMRESOURCEDEFINITIONS: {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    },
    k.IPADDRESSES: {"metadata": {"name": "10.0.0.9"}, "spec": {"parentRef": {"resource": "services", "name": "s"}}},
}

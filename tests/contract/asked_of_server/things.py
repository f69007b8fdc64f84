"""What the requests are about."""

PLACE = "/api/v1/namespaces/s"
MAPS = f"{PLACE}/configmaps"
PODS = f"{PLACE}/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/s/deployments"
CBOR = "application/cbor"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
             "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}},
}  # fmt: skip

"""What is no resource: discovery, OpenAPI, health; and paths that lead nowhere."""

from apimachinery.kinds import KINDS
from tests.contract.asked_of_kinds import MERGE, PROTOBUF, TABLE, YAML, ask
from tests.contract.asked_of_server.things import DISCOVERY


def documents():
    for accept in ("", PROTOBUF, YAML):
        yield ask("GET", "/api", accept=accept)
        yield ask("GET", "/apis", accept=accept)
        for version in sorted({kind.api_version for kind in KINDS}):
            yield ask("GET", f"/apis/{version}" if "/" in version else f"/api/{version}", accept=accept)
            if "/" in version:
                yield ask("GET", f"/apis/{version.partition('/')[0]}", accept=accept)
    for path in ("/api", "/apis"):
        for accept in (DISCOVERY, DISCOVERY.replace("v2", "v2beta1"), f"{DISCOVERY},application/json", DISCOVERY.replace("v2", "v3"), f"{DISCOVERY};profile=nopeer",
                       DISCOVERY.replace("application/json", PROTOBUF), f"{PROTOBUF},application/json", TABLE):  # fmt: skip
            yield ask("GET", path, accept=accept)
    for path in ("/api/", "/apis/", "/api/v1/", "/apis/apps/", "/apis/apps/v1/", "/", "/version/", "/openapi/v3", "/openapi/v3/", "/openapi/v2/", "/livez", "/readyz", "/healthz/etcd", "/healthz/ping", "/livez/ping", "/readyz/nonsense",
                 "/livez?exclude=etcd", "/livez?verbose", "/readyz?verbose&exclude=etcd", "/readyz?verbose", "/healthz?verbose", "/readyz?exclude=nonsense&verbose", "/logs", "/logs/", "/swagger.json", "/openapi", "/metrics/nonsense",
                 "/openapi/v3/nonsense", "/openapi/v3/api/v2", "/.well-known/openid-configuration", "/favicon.ico", "/ui", "/swaggerapi", "/debug/pprof", "/debug/flags", "/statusz", "/flagz", "/debug/api_priority_and_fairness/"):  # fmt: skip
        yield ask("GET", path)
        yield ask("POST", path, {})


def paths():
    for path in ("/api/v1/nonsense", "/api/v2", "/api/v2/pods", "/apis/nonsense", "/apis/nonsense/v1", "/apis/nonsense/v1/x", "/apis/apps/v2", "/apis/apps/v2/deployments", "/apis/apps/v1beta1/deployments",
                 "/nonsense", "/api/v1/namespaces/s/pods/x/nonsense", "/api/v1/namespaces/s/nodes", "/api/v1/nodes/x/y/z", "/api/v1/namespaces/s/configmaps/a/status", "/api/v1/namespaces/s/configmaps/a/x/y", "/api/v1//configmaps",
                 "/api/v1/namespaces//configmaps", "/api/v1/namespaces/s/configmaps/", "/api/v1/namespaces/s/configmaps/a/", "/api/v1/configmaps/a", "/api/v1/namespaces/s/pods/p%2Fq",
                 "/apis/batch/v1beta1/cronjobs", "/apis/policy/v1beta1/poddisruptionbudgets", "/apis/extensions/v1beta1/ingresses", "/api/v1/namespaces/s/componentstatuses", "/api/v1/componentstatuses", "/api/v1/proxy/nodes/x", "/api/v1/namespaces/s/bindings",
                 "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies", "/apis/certificates.k8s.io/v1beta1/clustertrustbundles", "/apis/storage.k8s.io/v1beta1/volumeattributesclasses", "/apis/resource.k8s.io/v1beta1/resourceclaims",
                 "/apis/networking.k8s.io/v1beta1/ipaddresses", "/apis/coordination.k8s.io/v1beta1/leasecandidates", "/apis/internal.apiserver.k8s.io/v1alpha1/storageversions", "/apis/authentication.k8s.io/v1/tokenreviews",
                 "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/api/v1/namespaces/s/pods/nobody/log", "/api/v1/namespaces/s/pods/nobody/exec", "/api/v1/namespaces/s/pods/nobody/proxy", "/api/v1/namespaces/s/services/nobody/proxy",
                 "/api/v1/nodes/nobody/proxy/x", "/api/v1/namespaces/s/pods/nobody/portforward", "/api/v1/namespaces/s/pods/nobody/attach", "/api/v1/namespaces/s/serviceaccounts/nobody/token", "/api/v1/namespaces/s/pods/nobody/eviction", "/api/v1/namespaces/s/pods/nobody/binding"):  # fmt: skip
        for method in ("GET", "DELETE", "POST", "PUT", "PATCH"):
            yield ask(
                method,
                path,
                {} if method in ("POST", "PUT", "PATCH") else None,
                type=MERGE if method == "PATCH" else None,
            )

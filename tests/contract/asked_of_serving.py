"""Requests to compare two servers with: how lists, watches, Tables and errors are asked for, with much that is odd.

Found by chance (parameters, media types, methods and paths put together at random); these are the telling ones.
"""

from tests.contract.asked_of_kinds import PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE, YAML, ask

_PLACE = "/api/v1/namespaces/serving"
_MAPS, _PODS = f"{_PLACE}/configmaps", f"{_PLACE}/pods"
_SUMMARIES = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"
_RIGHTS = "/apis/authorization.k8s.io/v1"


def everything():
    """All of them, in an order in which each finds what it needs."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "serving"}})
    for name in ("a", "b"):
        yield ask("POST", _MAPS, {"metadata": {"name": name, "labels": {"n": name}}, "data": {"a10": "1", "a2": "y"}})
    yield from _lists()
    yield from _watches()
    yield from _tables()
    yield from _texts()
    yield from _methods()
    yield from _rights()


def _lists():
    """What is wrong with two of them is told of the first that upstream looks at."""
    for query in ("limit=", "timeoutSeconds=", "limit=x&timeoutSeconds=y", "limit=x&labelSelector=a%3Db%3Dc",
                  "labelSelector=a+b&fieldSelector=a", "limit=x&resourceVersionMatch=x", "limit=&resourceVersion=x",
                  "fieldSelector=x%3Dy&resourceVersion=x", "fieldSelector=x%3Dy&resourceVersionMatch=x",
                  "resourceVersion=x&labelSelector=a%3Db%3Dc", "resourceVersion=x&continue=x", "resourceVersion=5&continue=x",
                  "resourceVersion=x&sendInitialEvents=1", "limit=0x2", "limit=1.5"):  # fmt: skip
        yield ask("GET", f"{_MAPS}?{query}")
    for accept in (_SUMMARIES, "application/cbor", "APPLICATION/JSON", "text/html", "a/b;q=x", PARTIAL):
        for query in ("limit=x", "resourceVersionMatch=x", "fieldSelector=x%3Dy", "resourceVersion=x"):
            yield ask("GET", f"{_MAPS}?{query}", accept=accept)
        yield ask("GET", "/api/v1/configmaps/a", accept=accept)
        yield ask("GET", f"{_PLACE}/nonsense", accept=accept)
    yield ask("GET", f"{_MAPS}/a?includeObject=x")


def _watches():
    one = f"{_MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Da"
    for more in ("", "&resourceVersion=0", "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"):
        for accept in ("application/json", TABLE, PARTIAL):
            yield ask("GET", f"{one}{more}&allowWatchBookmarks=true", accept=accept)
    for query in ("resourceVersionMatch=exact&resourceVersion=1", "continue=x", "sendInitialEvents=true"):
        yield ask("WATCH", f"/api/v1/watch/namespaces/serving/configmaps?timeoutSeconds=1&{query}")


def _tables():
    for accept in (TABLE, PARTIAL_LIST, YAML):
        for path in ("limitranges", "configmaps"):
            yield ask("GET", f"{_PLACE}/{path}?labelSelector=nobody", accept=accept)
    yield ask("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/serving/roles", accept=TABLE)
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "nobody"}}
    yield ask("POST", _PODS, pod)
    for phase in ("Running", "Succeeded", "Failed"):
        yield ask("PATCH", f"{_PODS}/p/status", {"status": {"phase": phase}}, type="application/merge-patch+json")
        yield ask("GET", f"{_PODS}/p", accept=TABLE)
    service = {
        "metadata": {"name": "s"},
        "spec": {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 80}]},
    }
    yield ask("POST", f"{_PLACE}/services", service)
    for addresses in (
        [{"hostname": "a-long-name.example.com"}, {"ip": "9.9.9.9"}],
        [{"ip": "9.9.9.9"}, {"ip": "1.1.1.1"}],
    ):
        body = {"status": {"loadBalancer": {"ingress": addresses}}}
        yield ask("PATCH", f"{_PLACE}/services/s/status", body, type="application/merge-patch+json")
        yield ask("GET", f"{_PLACE}/services/s", accept=TABLE)


def _texts():
    data = {"n": "5", "t": "true", "y": "y", "e": "", "x": "0x1f", "m": "1:30", "d": "2024-01-01", "two": "a\nb\n",
            "c": "a: b", "long": "word " * 30, "é": "é", "k10": "a", "k2": "b", "-": "-"}  # fmt: skip
    names = {key: value for key, value in data.items() if key not in ("é", "-")}
    yield ask("POST", _MAPS, {"metadata": {"name": "texts", "annotations": {"a": "é", "b": "-"}}, "data": names})
    yield ask("GET", f"{_MAPS}/texts", accept=YAML)
    for accept in (YAML, PROTOBUF, "text/html"):
        for path in ("/version", "/version/x", "/api/v1/nonsense/x", "/openapi/v3/api/v1", "/nonsense"):
            if not (path.startswith("/openapi") and accept == PROTOBUF):
                yield ask("GET", path, accept=accept)
        yield ask("PUT", "/api", {}, accept=accept)


def _methods():
    for name in ("attach", "exec", "portforward", "log", "proxy"):
        yield ask("HEAD", f"{_PODS}/nobody/{name}")
        for method in ("POST", "OPTIONS", "PUT"):
            yield ask(method, f"{_PODS}/nobody/{name}?dryRun=All")
    for path in (_MAPS, f"{_MAPS}/a", f"{_PLACE}/nonsense", "/apis/nobody.example.com/v1/things"):
        yield ask("OPTIONS", path, impersonate_user="jane")


def _rights():
    for user in ("jane", "system:node:nobody"):
        yield ask(
            "POST", f"{_RIGHTS}/selfsubjectrulesreviews", {"spec": {"namespace": "serving"}}, impersonate_user=user
        )

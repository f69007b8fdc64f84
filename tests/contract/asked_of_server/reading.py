"""What is asked for: forms of answers, lists and their parameters, watches."""

from tests.contract.asked_of_kinds import PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE, YAML, ask
from tests.contract.asked_of_server.things import CBOR, MAPS, PODS


def objects():
    for name in ("a", "b", "c"):
        yield ask("POST", MAPS, {"metadata": {"name": name, "labels": {"n": name}}, "data": {"k": "v"}})
    for accept in ("", "*/*", "application/*", "text/html", "text/html,application/json;q=0.9", "application/json;q=0.1,application/yaml",
                   CBOR, f"{CBOR},application/json", "application/json;as=Nonsense;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io",
                   f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io", f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                   "application/json;pretty=1", "application/json;stream=watch", "application/json;charset=utf-8", "application/json;v=v1",
                   "application/yaml;as=Table;v=v1;g=meta.k8s.io", "image/png", "application/json;profile=nominal", "text/plain"):  # fmt: skip
        for path in (
            f"{MAPS}/a",
            f"{MAPS}?fieldSelector=metadata.name%3Da",
            f"{MAPS}/none",
            "/version",
            "/api",
            "/apis",
            "/apis/apps",
            "/api/v1",
            "/openapi/v3",
            "/healthz",
        ):
            if path in ("/version", "/openapi/v3", "/healthz", "/api/v1") and ("as=" in accept or "q=" in accept):
                continue
            yield ask("GET", path, accept=accept)
    for agent in ("curl/8.0", "Wget/1", "Mozilla/5.0 (x)", "kubectl/v1.30"):
        yield ask("GET", f"{MAPS}/a", user_agent=agent)
    for pretty in ("1", "true", "false", "0", "", "x"):
        yield ask("GET", f"{MAPS}/a?pretty={pretty}", user_agent="curl/8.0")
    for include in ("None", "Metadata", "Object", "x", ""):
        yield ask("GET", f"{MAPS}/a?includeObject={include}", accept=TABLE)
    for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND"):
        for path in (f"{MAPS}/a", MAPS, "/version", "/api", "/nonsense", "/healthz"):
            yield ask(method, path)


def lists():
    for query in ("limit=x", "limit=-1", "limit=0", "timeoutSeconds=x", "timeoutSeconds=-1", "continue=x", "resourceVersion=x", "resourceVersion=-1",
                  "resourceVersion=99999999", "resourceVersion=0", "resourceVersion=1&resourceVersionMatch=Exact", "resourceVersionMatch=Exact",
                  "resourceVersionMatch=x", "resourceVersion=0&resourceVersionMatch=Exact", "resourceVersionMatch=NotOlderThan",
                  "resourceVersion=1&resourceVersionMatch=x", "resourceVersion=0&resourceVersionMatch=NotOlderThan", "sendInitialEvents=true",
                  "sendInitialEvents=x", "allowWatchBookmarks=x", "watch=x&timeoutSeconds=1", "labelSelector=a%3Db%3Dc", "labelSelector=a+in+(b", "labelSelector=a+b",
                  "labelSelector=n+in+(a,b)", "labelSelector=n!%3Da", "labelSelector=!n", "labelSelector=n", "labelSelector=n+notin+(a)", "labelSelector=n>1",
                  "labelSelector=a/b/c%3D1", "labelSelector=n%3D%3Da", "labelSelector=,", "labelSelector=n%3Da,n%3Db", "labelSelector=-%3Dx", "labelSelector=n%3D-",
                  "fieldSelector=x%3Dy", "fieldSelector=x", "fieldSelector=metadata.name!%3Da", "fieldSelector=metadata.name%3D%3Da,metadata.namespace%3Ds",
                  "fieldSelector=metadata.name%3Da%5C", "fieldSelector=,", "limit=1&continue=x", "nonsense=1", "limit=99999999999999999999"):  # fmt: skip
        yield ask("GET", f"{MAPS}?{query}")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue&resourceVersion=5")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue&resourceVersionMatch=Exact")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue")
    yield ask("GET", f"{MAPS}?limit=1", accept=TABLE)
    yield ask("GET", f"{MAPS}?limit=1", accept=PARTIAL_LIST)
    yield ask("GET", f"{MAPS}?limit=1&labelSelector=n")
    yield ask("GET", f"{MAPS}?limit=1", accept=PROTOBUF)
    yield ask("GET", f"{MAPS}?limit=1", accept=YAML)
    yield ask("GET", "/api/v1/namespaces/none/configmaps")
    yield ask("GET", "/api/v1/componentstatuses/nonsense")
    yield ask("GET", "/api/v1/componentstatuses", accept=TABLE)
    for accept in (TABLE, ""):
        yield ask("GET", f"{PODS}?limit=500", accept=accept)
        yield ask("GET", "/api/v1/namespaces/none/pods", accept=accept)


def watches():
    for query in ("resourceVersion=x", "resourceVersion=99999999&timeoutSeconds=1", "timeoutSeconds=x", "sendInitialEvents=true",
                  "resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Exact&sendInitialEvents=true", "sendInitialEvents=false",
                  "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=1", "limit=1&timeoutSeconds=1", "continue=x&timeoutSeconds=1", "labelSelector=a%3Db%3Dc",
                  "fieldSelector=x%3Dy", "resourceVersion=-1", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x"):  # fmt: skip
        yield ask("WATCH", f"{MAPS}?watch=1&timeoutSeconds=1&{query}")
    one = f"{MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Da"
    yield ask("WATCH", one)
    yield ask("WATCH", f"{one}&resourceVersion=0")
    for accept in (YAML, CBOR, "text/html", "application/json;stream=watch", "*/*", f"{TABLE},application/json"):
        yield ask("WATCH", one, accept=accept)
    yield ask("WATCH", f"{MAPS}/a?watch=1&timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s/configmaps/a?timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s/configmaps?fieldSelector=metadata.name%3Da&timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s?timeoutSeconds=1")
    yield ask("WATCH", "/apis/apps/v1/watch/namespaces/s/deployments/nobody?timeoutSeconds=1", events=0)
    yield ask(
        "WATCH",
        f"{one}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        events=2,
        accept=TABLE,
    )
    yield ask(
        "WATCH",
        f"{one}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        events=2,
        accept=PARTIAL,
    )

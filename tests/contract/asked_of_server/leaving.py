"""Deletes of collections, and the end of a namespace."""

from tests.contract.asked_of_kinds import APPLY, PROTOBUF, TABLE, ask
from tests.contract.asked_of_server.things import MAPS


def collections():
    yield ask("DELETE", f"{MAPS}?fieldSelector=x%3Dy")
    yield ask("DELETE", f"{MAPS}?labelSelector=a%3Db%3Dc")
    yield ask("DELETE", f"{MAPS}?limit=x")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"preconditions": {"uid": "x"}})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"propagationPolicy": "x"})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", "{")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"dryRun": ["All"]})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da&dryRun=All", accept=TABLE)
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Db", accept=PROTOBUF)
    yield ask("DELETE", f"{MAPS}?labelSelector=n")
    yield ask("DELETE", "/api/v1/configmaps")
    yield ask("DELETE", "/api/v1/namespaces")
    yield ask("GET", f"{MAPS}?labelSelector=n")


def namespaces():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "Bad"}})
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "x" * 64}})
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "full"}, "spec": {"finalizers": ["x.y/z"]}})
    yield ask(
        "PUT",
        "/api/v1/namespaces/full/finalize",
        {"metadata": {"name": "full"}, "spec": {"finalizers": ["kubernetes"]}},
    )
    yield ask("PUT", "/api/v1/namespaces/full/finalize", {"metadata": {"name": "full"}})
    yield ask("DELETE", "/api/v1/namespaces/default")
    yield ask("DELETE", "/api/v1/namespaces/kube-system")
    yield ask("DELETE", "/api/v1/namespaces/kube-public")
    yield ask("DELETE", "/api/v1/namespaces/s")
    yield ask("DELETE", "/api/v1/namespaces/s")
    yield ask("GET", "/api/v1/namespaces/s", accept=TABLE)
    yield ask("POST", MAPS, {"metadata": {"name": "late"}})
    yield ask(
        "PATCH",
        f"{MAPS}/late?fieldManager=m",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}},
        type=APPLY,
    )
    yield ask("PUT", f"{MAPS}/late", {"metadata": {"name": "late"}})
    yield ask("GET", "/api/v1/namespaces/s")

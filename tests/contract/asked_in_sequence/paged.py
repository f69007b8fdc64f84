"""Lists in pages: limits, continue tokens good, foreign and malformed, counts of what remains; deletes of collections."""

import base64
import json

from tests.contract.asked_of_kinds import PARTIAL_LIST, PROTOBUF, TABLE, ask

MAPS = "/api/v1/namespaces/paged/configmaps"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "paged"}})
    for name in "abcde":
        labels = {"odd": "yes"} if name in "ace" else {}
        yield ask("POST", MAPS, {"metadata": {"name": name, "labels": labels}})
    yield from _pages()
    yield from _tokens()
    yield from _deletes()


def _pages():
    for accept in ("application/json", TABLE, PARTIAL_LIST, PROTOBUF):
        yield ask("GET", f"{MAPS}?limit=2", accept=accept)
        yield ask("GET", f"{MAPS}?limit=2&continue=$continue")
        yield ask("GET", f"{MAPS}?limit=2&continue=$continue", accept=accept)
    for query in ("limit=5", "limit=4", "limit=100", "limit=2&labelSelector=odd", "limit=2&fieldSelector=metadata.name!%3Da", "limit=1&fieldSelector=metadata.name%3Dc",
                  "limit=2&resourceVersion=0", "limit=2&resourceVersion=$rv", "limit=2&resourceVersion=$rv&resourceVersionMatch=Exact", "limit=2&resourceVersion=$rv&resourceVersionMatch=NotOlderThan",
                  "limit=2&resourceVersion=0&resourceVersionMatch=NotOlderThan", "limit=2&resourceVersion=1&resourceVersionMatch=Exact"):  # fmt: skip
        yield ask("GET", f"{MAPS}/e")
        yield ask("GET", f"{MAPS}?{query}")
    yield ask("GET", f"{MAPS}?limit=1&labelSelector=odd")
    yield ask("GET", f"{MAPS}?limit=1&labelSelector=odd&continue=$continue")
    yield ask("GET", f"{MAPS}?limit=1&continue=$continue")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", f"{MAPS}?continue=$continue")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", f"{MAPS}?continue=$continue&resourceVersion=0")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", f"{MAPS}?continue=$continue&resourceVersionMatch=Exact")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", "/api/v1/namespaces/default/configmaps?continue=$continue")


def token(**parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _tokens():
    good = {"v": "meta.k8s.io/v1", "rv": 1, "start": "b\0"}
    for text in ("x", "%00", "====", base64.urlsafe_b64encode(b"{").decode(), base64.urlsafe_b64encode(b"nonsense").decode().rstrip("="), token(), token(v="x"), token(v="meta.k8s.io/v1"), token(**good), token(**{**good, "rv": 0}), token(**{**good, "rv": -1}),
                 token(**{**good, "rv": "x"}), token(**{**good, "start": ""}), token(**{**good, "start": "../x"}), token(**{**good, "start": "/x"}), token(**{**good, "v": "meta.k8s.io/v2"}), token(**{**good, "more": 1})):  # fmt: skip
        yield ask("GET", f"{MAPS}?continue={text}")
        yield ask("GET", f"{MAPS}?limit=1&continue={text}")


def _deletes():
    for body in ({"preconditions": {"resourceVersion": "1"}}, {"preconditions": {"uid": "x"}}, {"propagationPolicy": "Nonsense"}, {"gracePeriodSeconds": -1}, {"gracePeriodSeconds": "x"}, {"orphanDependents": True, "propagationPolicy": "Orphan"}, {"dryRun": ["x"]}, {"kind": "Nonsense"}, {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]},
                 {"kind": "DeleteOptions", "apiVersion": "v2"}, {"nonsense": 1}, [], "null", {"orphanDependents": "x"}, {"dryRun": "All"}, {"preconditions": []}, {"ignoreStoreReadErrorWithClusterBreakingPotential": True}):  # fmt: skip
        yield ask("DELETE", f"{MAPS}?fieldSelector=metadata.name%3Da&dryRun=All", body)
        yield ask("DELETE", f"{MAPS}/nobody", body)
        yield ask("DELETE", f"{MAPS}/b?dryRun=All", body)
    for policy in ("Foreground", "Orphan", "Background"):
        name = policy.lower()
        yield ask("POST", MAPS, {"metadata": {"name": name}})
        yield ask("DELETE", f"{MAPS}/{name}", {"propagationPolicy": policy})
        yield ask("GET", f"{MAPS}/{name}")
    yield ask("POST", MAPS, {"metadata": {"name": "held", "finalizers": ["x.y/z"]}})
    yield ask("DELETE", f"{MAPS}/held?propagationPolicy=Foreground&gracePeriodSeconds=3")
    yield ask("DELETE", f"{MAPS}/held", {"propagationPolicy": "Orphan"})
    yield ask("PUT", f"{MAPS}/held", {"metadata": {"name": "held", "finalizers": ["x.y/z", "new.z/a"]}})
    yield ask("PUT", f"{MAPS}/held", {"metadata": {"name": "held", "finalizers": []}})
    yield ask("GET", f"{MAPS}/held")
    yield ask("DELETE", f"{MAPS}?limit=2")
    yield ask("DELETE", f"{MAPS}?labelSelector=odd")
    yield ask("GET", MAPS)

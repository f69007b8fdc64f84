"""Watches with every combination of where they begin and how they show what they see."""

from itertools import product

from tests.contract.asked_of_kinds import APPLY, MERGE, PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE, ask

MAPS = "/api/v1/namespaces/watched/configmaps"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "watched"}})
    for name in ("a", "b"):
        yield ask("POST", MAPS, {"metadata": {"name": name, "labels": {"n": name}}, "data": {"k": "v"}})
    yield from _beginnings()
    yield from _changes()
    yield from _forms()


def _beginnings():
    yield ask("GET", f"{MAPS}/b")
    for initial, bookmarks, version, match in product(
        ("", "true", "false"), ("", "true"), ("", "0", "$rv", "1"), ("", "NotOlderThan", "Exact", "x")
    ):
        query = f"watch=1&timeoutSeconds=1&sendInitialEvents={initial}" if initial else "watch=1&timeoutSeconds=1"
        query += f"&allowWatchBookmarks={bookmarks}" if bookmarks else ""
        query += f"&resourceVersion={version}" if version else ""
        query += f"&resourceVersionMatch={match}" if match else ""
        is_whole = initial == "true" or (not initial and version in ("", "0"))
        count = 2 * is_whole + (initial == "true" and bookmarks == "true")
        yield ask("WATCH", f"{MAPS}?{query}", events=count)


def _changes():
    yield ask("GET", f"{MAPS}/b")
    since = "watch=1&timeoutSeconds=5&resourceVersion=$mark"
    yield ask("MARK", f"{MAPS}/b")
    yield ask("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"n": "c"}}}, type=MERGE)
    yield ask("PATCH", f"{MAPS}/b", {"data": {"k": "w"}}, type=MERGE)
    yield ask("PATCH", f"{MAPS}/b", {"data": {"k": "w"}}, type=MERGE)
    yield ask("POST", MAPS, {"metadata": {"name": "d", "labels": {"n": "d"}, "finalizers": ["x.y/z"]}})
    yield ask("DELETE", f"{MAPS}/d")
    yield ask("PATCH", f"{MAPS}/d", {"metadata": {"finalizers": None}}, type=MERGE)
    yield ask("DELETE", f"{MAPS}/a")
    yield ask("PATCH", f"{MAPS}/e?fieldManager=m", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e"}}, type=APPLY)  # fmt: skip
    for accept in ("application/json", TABLE, PARTIAL):
        yield ask("WATCH", f"{MAPS}?{since}", events=7, accept=accept)
        yield ask("WATCH", f"{MAPS}?{since}&labelSelector=n%3Da", events=1, accept=accept)
        yield ask("WATCH", f"{MAPS}?{since}&labelSelector=n%3Dc", events=2, accept=accept)
        yield ask("WATCH", f"{MAPS}?{since}&fieldSelector=metadata.name%3Dd", events=3, accept=accept)
        yield ask("WATCH", f"{MAPS}?{since}&labelSelector=!n", events=1, accept=accept)


def _forms():
    begin = "watch=1&timeoutSeconds=5&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    for accept in (TABLE, PARTIAL, PARTIAL_LIST, TABLE.replace("v=v1;", "v=v1beta1;"), PARTIAL.replace("v=v1;", "v=v1beta1;"), f"{TABLE},application/json", f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io,{TABLE}",
                   PROTOBUF, f"{PROTOBUF};stream=watch", PARTIAL.replace("application/json", PROTOBUF), f"{PROTOBUF},application/json", "application/json;as=Nonsense;v=v1;g=meta.k8s.io"):  # fmt: skip
        yield ask("WATCH", f"{MAPS}?{begin}", events=3, accept=accept)
        yield ask("WATCH", f"{MAPS}?{begin}&includeObject=Object", events=3, accept=accept)
        yield ask("WATCH", f"{MAPS}?{begin}&includeObject=None", events=3, accept=accept)
    for path in ("/api/v1/namespaces/watched/pods", "/apis/apps/v1/deployments", "/api/v1/namespaces"):
        yield ask("WATCH", f"{path}?{begin}&fieldSelector=metadata.name%3Dnobody", events=1)
        yield ask("WATCH", f"{path}?{begin}&fieldSelector=metadata.name%3Dnobody", events=1, accept=TABLE)
        yield ask("WATCH", f"{path}?{begin}&fieldSelector=metadata.name%3Dnobody", events=1, accept=PARTIAL)

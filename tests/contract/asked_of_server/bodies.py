"""What is sent: media types, bodies that cannot be read, options of writes, odd metadata."""

from tests.contract.asked_of_kinds import MERGE, PROTOBUF, YAML, ask
from tests.contract.asked_of_server.things import CBOR, MAPS


def bodies():
    for type in (
        "text/plain",
        CBOR,
        "application/x-www-form-urlencoded",
        "application/json;charset=utf-8",
        "APPLICATION/JSON",
        "nonsense",
        "",
        PROTOBUF,
        YAML,
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}}, type=type)
        yield ask("PUT", f"{MAPS}/a?dryRun=All", {"metadata": {"name": "a"}}, type=type)
        yield ask("DELETE", f"{MAPS}/a?dryRun=All", {"dryRun": ["All"]}, type=type)
    for text in ("", "{", "[]", "null", "5", '"x"', "{}", "nonsense", '{"metadata":', '{"metadata":{"name":"x"}} trailing', '{"metadata":{"name":"x","name":"y"}}',
                 '{"metadata":{"name":5}}', '{"metadata":{"labels":{"a":5}}}', '{"data":{"a":5},"metadata":{"name":"x"}}', '{"data":[],"metadata":{"name":"x"}}',
                 '{"Metadata":{"Name":"x"}}', '{"metadata":null}', '{"metadata":{"name":"x"},"immutable":"yes"}', '{"metadata":{"name":"x"},"binaryData":{"a":"!"}}',
                 '{"kind":5}', '{"apiVersion":5}', '{"apiVersion":"v1","kind":"ConfigMap"}', '{"kind":"Pod","apiVersion":"v1"}', '{"kind":"ConfigMap","apiVersion":"v2"}',
                 '{"kind":"ConfigMapList","apiVersion":"v1","items":[]}', '{"kind":"","apiVersion":"v1","metadata":{"name":"x"}}',
                 '{"metadata":{"name":"x","creationTimestamp":"nonsense"}}', '{"metadata":{"name":"x","deletionGracePeriodSeconds":"x"}}',
                 '{"metadata":{"name":"x","generation":1.5}}', '{"metadata":{"name":"x","ownerReferences":{}}}', '{"metadata":{"name":"x","finalizers":"x"}}',
                 '{"metadata":{"name":"x"},"data":{"a":null}}', '{"metadata":{"name":"x"},"data":{"a b":"x"}}', '{"metadata":{"name":"x"},"data":{"k":"v"},"binaryData":{"k":"eA=="}}'):  # fmt: skip
        for validation in ("Warn", "Strict", "Ignore"):
            yield ask("POST", f"{MAPS}?dryRun=All&fieldValidation={validation}", text)
    for text in (
        "a: b: c",
        "metadata: {name: x}",
        "- 1",
        "metadata: {name: x}\nmetadata: {name: y}\n",
        "metadata:\n\tname: x",
        "metadata: {name: x}\nunknown: 1\n",
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", text, type=YAML)
        yield ask("POST", f"{MAPS}?dryRun=All&fieldValidation=Strict", text, type=YAML)
    for query in (
        "dryRun=x",
        "dryRun=",
        "dryRun=All&dryRun=All",
        "dryRun=All,x",
        "fieldValidation=x",
        "fieldManager=" + "x" * 200,
        "fieldManager=%07",
        "force=true",
        "nonsense=1&dryRun=All",
        "pretty=x&dryRun=All",
    ):
        yield ask("POST", f"{MAPS}?{query}", {"metadata": {"name": "odd"}})
        yield ask("PUT", f"{MAPS}/a?{query}", {"metadata": {"name": "a"}})
        yield ask("PATCH", f"{MAPS}/a?{query}", {"data": {"z": "z"}}, type=MERGE)
        yield ask("DELETE", f"{MAPS}/nobody?{query}")
    yield ask("DELETE", f"{MAPS}/odd")
    yield ask("POST", MAPS, {"metadata": {"generateName": "g-"}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"generateName": "Bad_"}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x" * 254}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"generateName": "x" * 300}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "labels": {"a": "x" * 64}}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "annotations": {"a": "x" * 300000}}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "x" * 1100000}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "x" * 3200000}})
    for owner in (
        {},
        {"apiVersion": "v1"},
        {"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "u"},
        {"apiVersion": "a/b/c", "kind": "Pod", "name": "x", "uid": "u"},
        {"kind": "Pod", "name": "x", "uid": "u"},
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": [owner]}})
    two = [{"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "ab"]
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": two}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": [two[0], two[0]]}})
    yield ask(
        "POST",
        f"{MAPS}?dryRun=All",
        {
            "metadata": {
                "name": "x",
                "uid": "mine",
                "generation": 9,
                "selfLink": "/x",
                "creationTimestamp": "2020-01-01T00:00:00Z",
                "deletionTimestamp": "2020-01-01T00:00:00Z",
            }
        },
    )

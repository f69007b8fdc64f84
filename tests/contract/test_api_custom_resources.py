"""Custom resources on the in-process server: definitions come to life, serve, change and go."""

import asyncio

from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import JSON_PATCH, MERGE, STRATEGIC, names, running
from tests.contract.custom_resources import (
    CRDS,
    SCHEMA,
    WIDGETS,
    conditions,
    crd,
    define,
    followed,
    version,
    wait_condition,
    wait_gone,
    widget,
)

STATUS = version(subresources={"status": {}})
TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


async def test_a_definition_is_established_in_upstreams_words():
    async with running() as server:
        tree = await define(server, crd(names={"shortNames": ["wd"], "categories": ["all"]}))
    assert conditions(tree) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    assert tree["status"]["storedVersions"] == ["v1"]
    assert tree["status"]["acceptedNames"] == {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
        "shortNames": ["wd"],
        "categories": ["all"],
    }


async def test_a_taken_name_is_refused_until_it_is_free():
    async with running() as server:
        await define(server, crd(names={"shortNames": ["wd"]}))
        await server.must("POST", CRDS, crd("wheels", "Widget", names={"shortNames": ["wd"]}))
        tree = await wait_condition(server, "wheels.example.com", "NamesAccepted", "False")
        assert conditions(tree) == {
            "NamesAccepted": ("False", "ListKindConflict", '"WidgetList" is already in use'),
            "Established": ("False", "NotAccepted", "not all names are accepted"),
        }
        assert tree["status"]["acceptedNames"]["plural"] == "wheels"
        assert (await server.call("GET", "/apis/example.com/v1/wheels"))[0] == 404
        await server.must("DELETE", f"{CRDS}/widgets.example.com")
        tree = await wait_condition(server, "wheels.example.com", "Established")
        assert tree["status"]["acceptedNames"]["shortNames"] == ["wd"]


async def test_objects_are_pruned_and_defaulted_and_counted():
    async with running() as server:
        await define(server, crd(versions=[STATUS]))
        made = await server.must("POST", WIDGETS, widget("a", {"color": "red", "foo": 1}, status={"ok": True}))
        assert made["spec"] == {"color": "red", "size": 3}
        assert "status" not in made
        assert made["metadata"]["generation"] == 1
        changed = await server.must("PATCH", f"{WIDGETS}/a", {"spec": {"size": 4}}, type=MERGE)
        assert changed["metadata"]["generation"] == 2
        labelled = await server.must("PATCH", f"{WIDGETS}/a", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)
        assert labelled["metadata"]["generation"] == 2
        assert (await server.must("GET", WIDGETS))["kind"] == "WidgetList"


async def test_a_status_write_changes_the_status_alone():
    async with running() as server:
        await define(server, crd(versions=[STATUS]))
        await server.must("POST", WIDGETS, widget("a"))
        patch = {"status": {"ok": True}, "spec": {"size": 9}, "metadata": {"labels": {"a": "b"}}}
        changed = await server.must("PATCH", f"{WIDGETS}/a/status", patch, type=MERGE)
        assert (changed["status"], changed["spec"]) == ({"ok": True}, {"size": 3})
        assert "labels" not in changed["metadata"]
        assert changed["metadata"]["generation"] == 1
        code, refused = await server.call("PATCH", f"{WIDGETS}/a/status", {"status": {"ok": 1}}, type=MERGE)
        assert code == 422
        assert (
            'status.ok: Invalid value: "integer": ok in body must be of type boolean: "integer"' in refused["message"]
        )
        kept = await server.must("PATCH", f"{WIDGETS}/a", {"status": None}, type=MERGE)
        assert kept["status"] == {"ok": True}


async def test_every_problem_is_told_at_once():
    async with running() as server:
        await define(server, crd())
        code, tree = await server.call("POST", WIDGETS, widget("a", {"size": 0, "color": "green", "name": "A"}))
    assert code == 422
    assert tree["message"] == (
        'Widget.example.com "a" is invalid: [spec.size: Invalid value: 0: spec.size in body should be greater than or '
        'equal to 1, spec.color: Unsupported value: "green": supported values: "red", "blue", spec.name: Invalid value: '
        "\"A\": spec.name in body should match '^[a-z]+$']"
    )


async def test_field_validation_knows_unknown_and_duplicate_fields():
    async with running() as server:
        await define(server, crd())
        raw = (
            b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","x":1},'
            b'"spec":{"foo":1,"size":1,"size":2}}'
        )
        strict = (
            'strict decoding error: duplicate field "spec.size", unknown field "metadata.x", unknown field "spec.foo"'
        )
        code, tree = await server.call("POST", f"{WIDGETS}?fieldValidation=Strict", raw=raw)
        assert (code, tree["message"]) == (400, f'Widget in version "v1" cannot be handled as a Widget: {strict}')
        answer = await server.send("POST", WIDGETS, raw=raw)
        assert answer.status_code == 201
        assert answer.headers.get_list("warning") == [
            '299 - "duplicate field \\"spec.size\\""',
            '299 - "unknown field \\"metadata.x\\""',
            '299 - "unknown field \\"spec.foo\\""',
        ]
        answer = await server.send("PUT", f"{WIDGETS}/a?fieldValidation=Ignore", raw=raw)
        assert "warning" not in answer.headers


async def test_objects_must_be_what_they_say():
    async with running() as server:
        await define(server, crd())
        code, tree = await server.call("POST", WIDGETS, widget("a", api_version="example.com/v2"))
        assert (code, tree["message"]) == (
            400,
            "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)",
        )
        code, tree = await server.call("POST", WIDGETS, {**widget("a"), "kind": "Gadget"})
        assert (code, tree["message"]) == (
            422,
            'Gadget.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget',
        )
        code, tree = await server.call("POST", WIDGETS, {"metadata": {"name": "a"}})
        assert code == 400
        assert "Object 'Kind' is missing in" in tree["message"]
        code, tree = await server.call("POST", WIDGETS, widget("a", metadata={"labels": {"a": 1}}))
        assert (code, tree["message"]) == (
            400,
            (
                'Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal number into Go struct field '
                "ObjectMeta.labels of type string"
            ),
        )


async def test_patches_are_json_merge_and_json_patch():
    async with running() as server:
        await define(server, crd())
        await server.must("POST", WIDGETS, widget("a"))
        changed = await server.must(
            "PATCH", f"{WIDGETS}/a", [{"op": "add", "path": "/spec/color", "value": "blue"}], type=JSON_PATCH
        )
        assert changed["spec"] == {"size": 3, "color": "blue"}
        code, tree = await server.call("PATCH", f"{WIDGETS}/a", {"spec": {}}, type=STRATEGIC)
        assert (code, tree["reason"]) == (415, "UnsupportedMediaType")
        code, tree = await server.call("PUT", f"{WIDGETS}/a", widget("a"))
        assert (code, tree["message"]) == (
            422,
            (
                'widgets.example.com "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an '
                "update"
            ),
        )


async def test_what_is_stored_is_defaulted_when_it_is_read():
    async with running() as server:
        bare = {**SCHEMA, "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string"}}}}}
        await define(server, crd(versions=[version(schema=bare)]))
        made = await server.must("POST", WIDGETS, widget("a", {"color": "red"}))
        assert made["spec"] == {"color": "red"}
        tree = await server.must("GET", f"{CRDS}/widgets.example.com")
        tree["spec"]["versions"] = [version()]
        await server.must("PUT", f"{CRDS}/widgets.example.com", tree)
        await followed(server)
        read = await server.must("GET", f"{WIDGETS}/a")
        assert read["spec"] == {"color": "red", "size": 3}
        assert read["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        assert (await server.must("GET", WIDGETS))["items"][0]["spec"]["size"] == 3


async def test_a_watch_ends_when_the_schema_changes_and_goes_on_where_it_was():
    async with running() as server:
        await define(server, crd())
        await server.must("POST", WIDGETS, widget("a"))
        async with server.watch(WIDGETS) as events:
            type_, seen = await events.next()
            assert type_ == "ADDED"
            await server.must("PATCH", f"{CRDS}/widgets.example.com", [
                {"op": "add", "path": "/spec/versions/0/additionalPrinterColumns",
                 "value": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]}
            ], type=JSON_PATCH)  # fmt: skip
            assert await events.rest() == []
        async with server.watch(WIDGETS, resourceVersion=seen["metadata"]["resourceVersion"]) as events:
            await server.must("POST", WIDGETS, widget("b"))
            assert (await events.next())[1]["metadata"]["name"] == "b"


async def test_bookmarks():
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    partial = {"accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
    async with running() as server:
        await define(server, crd())
        await server.must("POST", WIDGETS, widget("a"))
        for headers, kind in (({}, "Widget"), (partial, "PartialObjectMetadata"), (TABLE, "Table")):
            async with server.watch(WIDGETS, headers=headers, **query) as events:
                assert (await events.next())[0] == "ADDED"
                type_, mark = await events.next()
                assert (type_, mark["kind"]) == ("BOOKMARK", kind)


async def test_printer_columns_make_the_table():
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status', "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    open_ = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    async with running() as server:
        await define(server, crd(versions=[version(schema=open_, additionalPrinterColumns=columns)]))
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        await server.must("POST", WIDGETS, widget("a", {"size": 7}, status=ready))
        await server.must("POST", WIDGETS, widget("b"))
        table = await server.must("GET", WIDGETS, headers=TABLE)
    assert [(c["name"], c["type"], c["priority"]) for c in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Size", "integer", 0),
        ("Ready", "string", 1),
        ("Age", "date", 0),
    ]
    assert [row["cells"][:3] for row in table["rows"]] == [["a", 7, "True"], ["b", None, None]]


async def test_selectable_fields_select_in_lists_and_watches():
    one = version(selectableFields=[{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}])
    async with running() as server:
        await define(server, crd(versions=[one]))
        for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
            await server.must("POST", WIDGETS, widget(name, {"color": color}))
        assert names(await server.must("GET", f"{WIDGETS}?fieldSelector=spec.color%3Dred")) == ["a", "c"]
        assert names(await server.must("GET", f"{WIDGETS}?fieldSelector=spec.size%3D3,spec.color!%3Dred")) == ["b"]
        code, tree = await server.call("GET", f"{WIDGETS}?fieldSelector=spec.name%3Dx")
        assert code == 400
        assert "field label not supported: spec.name" in tree["message"]
        async with server.watch(WIDGETS, fieldSelector="spec.color=blue") as events:
            assert (await events.next())[1]["metadata"]["name"] == "b"
            await server.must("PATCH", f"{WIDGETS}/a", {"spec": {"color": "blue"}}, type=MERGE)
            type_, tree = await events.next()
            assert (type_, tree["metadata"]["name"]) == ("ADDED", "a")
            await server.must("PATCH", f"{WIDGETS}/b", {"spec": {"color": "red"}}, type=MERGE)
            type_, tree = await events.next()
            assert (type_, tree["metadata"]["name"]) == ("DELETED", "b")


async def test_scale_follows_the_json_paths():
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
    async with running() as server:
        await define(server, crd(versions=[version(subresources={"status": {}, "scale": scale})]))
        await server.must("POST", WIDGETS, widget("a"))
        tree = await server.must("GET", f"{WIDGETS}/a/scale")
        assert (tree["apiVersion"], tree["kind"], tree["spec"]) == ("autoscaling/v1", "Scale", {"replicas": 3})
        tree = await server.must("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": 5}}, type=MERGE)
        assert tree["spec"] == {"replicas": 5}
        read = await server.must("GET", f"{WIDGETS}/a")
        assert (read["spec"]["size"], read["metadata"]["generation"]) == (5, 2)
        code, tree = await server.call("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": -1}}, type=MERGE)
        assert code == 422
        listed = await server.must("GET", "/apis/example.com/v1")
        assert [r["name"] for r in listed["resources"]] == ["widgets", "widgets/status", "widgets/scale"]


async def test_versions_convert_by_their_name_alone_and_migrate_when_written():
    two = [version("v1", storage=False), version("v2")]
    old = [version("v1"), version("v2", storage=False)]
    async with running() as server:
        await define(server, crd(versions=old))
        await server.must("POST", WIDGETS, widget("a"))
        tree = await server.must("GET", f"{CRDS}/widgets.example.com")
        tree["spec"]["versions"] = two
        changed = await server.must("PUT", f"{CRDS}/widgets.example.com", tree)
        assert changed["status"]["storedVersions"] == ["v1", "v2"]
        await followed(server)
        await server.must("POST", WIDGETS, widget("b"))
        for served in ("v1", "v2"):
            path = WIDGETS.replace("v1", served)
            listed = await server.must("GET", path)
            assert {item["apiVersion"] for item in listed["items"]} == {f"example.com/{served}"}
        kept = await server.app.api.storage.get("/registry/example.com/widgets/default/a")
        assert b'"apiVersion":"example.com/v1"' in kept.value
        await server.must("PUT", f"{WIDGETS}/a", await server.must("GET", f"{WIDGETS}/a"))
        kept = await server.app.api.storage.get("/registry/example.com/widgets/default/a")
        assert b'"apiVersion":"example.com/v2"' in kept.value


async def test_a_version_that_is_served_no_more_is_gone():
    two = [version("v1"), version("v2", storage=False)]
    async with running() as server:
        await define(server, crd(versions=two))
        assert [v["version"] for v in (await server.must("GET", "/apis/example.com"))["versions"]] == ["v2", "v1"]
        tree = await server.must("GET", f"{CRDS}/widgets.example.com")
        tree["spec"]["versions"][1]["served"] = False
        await server.must("PUT", f"{CRDS}/widgets.example.com", tree)
        await followed(server)
        assert (await server.call("GET", WIDGETS.replace("v1", "v2")))[0] == 404
        assert [v["version"] for v in (await server.must("GET", "/apis/example.com"))["versions"]] == ["v1"]
        assert "apis/example.com/v2" not in (await server.must("GET", "/openapi/v3"))["paths"]


async def test_deprecated_versions_warn():
    two = [version("v1beta1", storage=False, deprecated=True), version("v1")]
    async with running() as server:
        await define(server, crd(versions=two))
        answer = await server.send("GET", WIDGETS.replace("v1", "v1beta1"))
        assert answer.headers["warning"] == (
            '299 - "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"'
        )


async def test_rules_are_kept_and_ratchet():
    spec = {
        "type": "object",
        "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}, "note": {"type": "string"}},
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    async with running() as server:
        await define(server, crd(versions=[version(schema=schema)]))
        await server.must("POST", WIDGETS, widget("old", {"min": 2, "max": 1}))
        rule = {"rule": "self.min <= self.max", "message": "min must not be above max", "fieldPath": ".min"}
        tree = await server.must("GET", f"{CRDS}/widgets.example.com")
        tree["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] |= {
            "x-kubernetes-validations": [rule]
        }
        await server.must("PUT", f"{CRDS}/widgets.example.com", tree)
        code, refused = await server.call("POST", WIDGETS, widget("a", {"min": 2, "max": 1}))
        assert (code, refused["message"]) == (
            422,
            'Widget.example.com "a" is invalid: spec.min: Invalid value: "object": min must not be above max',
        )
        await server.must("PATCH", f"{WIDGETS}/old", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)
        code, _ = await server.call("PATCH", f"{WIDGETS}/old", {"spec": {"note": "x"}}, type=MERGE)
        assert code == 422


async def test_a_definition_takes_its_objects_along():
    async with running() as server:
        await define(server, crd())
        await server.must("POST", WIDGETS, widget("a"))
        async with server.watch(WIDGETS) as events:
            assert (await events.next())[0] == "ADDED"
            marked = await server.must("DELETE", f"{CRDS}/widgets.example.com")
            assert marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
            assert conditions(marked)["Terminating"][:2] == ("True", "InstanceDeletionPending")
            assert [type_ for type_, _ in await events.rest()] == ["DELETED"]
        assert (await server.call("GET", f"{CRDS}/widgets.example.com"))[0] == 404
        assert (await server.send("GET", "/apis/example.com/v1")).status_code == 404
        assert (await server.call("GET", WIDGETS))[0] == 404


async def test_finalizers_of_objects_hold_their_definition():
    async with running() as server:
        await define(server, crd())
        await server.must("POST", WIDGETS, widget("a", metadata={"finalizers": ["example.com/hold"]}))
        await server.must("DELETE", f"{CRDS}/widgets.example.com")
        async with server.watch(WIDGETS) as events:
            while "deletionTimestamp" not in (await events.next())[1]["metadata"]:
                pass
        code, tree = await server.call("POST", WIDGETS, widget("b"))
        assert (code, tree["message"]) == (
            403,
            'widgets.example.com "b" is forbidden: create not allowed while custom resource definition is terminating',
        )
        async with asyncio.TaskGroup() as tasks:
            gone = tasks.create_task(wait_gone(server, "widgets.example.com"))
            await server.must("PATCH", f"{WIDGETS}/a", {"metadata": {"finalizers": None}}, type=MERGE)
            await gone


async def test_a_definition_never_established_goes_at_once():
    async with running() as server:
        await define(server, crd())
        await server.must("POST", CRDS, crd("wheels", "Widget"))
        await wait_condition(server, "wheels.example.com", "NamesAccepted", "False")
        async with server.watch(CRDS, fieldSelector="metadata.name=wheels.example.com") as events:
            await server.must("DELETE", f"{CRDS}/wheels.example.com")
            while (await events.next())[0] != "DELETED":
                pass
        assert names(await server.must("GET", CRDS)) == ["widgets.example.com"]


async def test_several_servers_follow_one_another():
    storage = MemoryStorage()
    async with running(storage) as one, running(storage) as two:
        await define(one, crd())
        await two.must("POST", WIDGETS, widget("a"))
        assert names(await one.must("GET", WIDGETS)) == ["a"]
        await two.must("DELETE", f"{CRDS}/widgets.example.com")
        async with asyncio.timeout(30):
            while (await one.call("GET", WIDGETS))[0] != 404:
                await asyncio.sleep(0)


async def test_the_schema_changes_under_load_and_no_request_is_lost():
    async with running() as server:
        await define(server, crd())

        async def load(worker):
            for count in range(20):
                await server.must("POST", WIDGETS, widget(f"w{worker}-{count}"))
                await server.must("GET", WIDGETS)

        async with asyncio.TaskGroup() as tasks:
            for worker in range(4):
                tasks.create_task(load(worker))
            for description in range(10):
                patch = [
                    {
                        "op": "add",
                        "path": "/spec/versions/0/schema/openAPIV3Schema/description",
                        "value": str(description),
                    }
                ]
                await server.must("PATCH", f"{CRDS}/widgets.example.com", patch, type=JSON_PATCH)
        assert len(names(await server.must("GET", WIDGETS))) == 80


async def test_requests_for_no_object_are_refused_by_the_handler_and_other_scopes_are_nowhere():
    async with running() as server:
        await define(server, crd())
        body, nameless = {**widget("a")}, (400, "name must be provided")
        for method, type_, expected in (
            ("PUT", "application/json", nameless),
            ("PATCH", MERGE, nameless),
            ("PATCH", STRATEGIC, (415, "the body of the request was in an unknown format")),
        ):
            code, status = await server.call(method, WIDGETS, body, type=type_)
            assert (code, status["message"][: len(expected[1])]) == expected
        everywhere = WIDGETS.replace("/namespaces/default", "")
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            assert await server.call(method, everywhere, body) == (404, "404 page not found\n")
        assert (await server.call("GET", everywhere))[0] == 200

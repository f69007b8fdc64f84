"""Bad requests get upstream's code and words, and leave nothing behind."""

import pytest

from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import Full, Unavailable
from tests.contract.api_server import APPS, CORE, JSON_PATCH, MERGE, STRATEGIC, config_map, deployment, pod, running

MAPS = f"{CORE}/configmaps"


BODIES = [
    pytest.param(MAPS, b"{", 400, "couldn't get version/kind; json parse error", id="broken JSON"),
    pytest.param(MAPS, b"[]", 400, "cannot unmarshal array into Go value", id="no object"),
    pytest.param(MAPS, b"", 400, "couldn't get version/kind; json parse error", id="nothing"),
    pytest.param(MAPS, b'{"metadata":5}', 400, "ConfigMap", id="metadata is no object"),
    pytest.param(MAPS, b'{"metadata":{"name":5}}', 400, "cannot unmarshal number into Go", id="name is a number"),
    pytest.param(MAPS, b'{"metadata":{"name":"a"},"data":[1]}', 400, "cannot unmarshal array into Go", id="mistyped"),
    pytest.param(MAPS, b'{"metadata":{"name":"A_b"}}', 422, "a lowercase RFC 1123 subdomain", id="bad name"),
    pytest.param(MAPS, b'{"metadata":{}}', 422, "name or generateName is required", id="no name"),
    pytest.param(
        MAPS, b'{"kind":"Foo","metadata":{"name":"a"}}', 400, 'no kind "Foo" is registered for version "v1"', id="kind"
    ),
    pytest.param(
        MAPS, b'{"apiVersion":"v2","metadata":{"name":"a"}}', 400, "cannot be handled as a ConfigMap", id="version"
    ),
    pytest.param(MAPS, b'{"kind":"Secret","metadata":{"name":"a"}}', 400, "unknown conversion", id="another kind"),
    pytest.param(
        MAPS,
        b'{"metadata":{"name":"a","namespace":"x"}}',
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
        id="namespace",
    ),
    pytest.param(
        MAPS,
        b'{"metadata":{"name":"a","resourceVersion":"5"}}',
        400,
        "resourceVersion should not be set on objects to be created",
        id="version on create",
    ),
    pytest.param(MAPS, b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, "max depth", id="nested too deeply"),
    pytest.param(
        MAPS, b'{"metadata":{"name":"a","labels":{"x y":"z"}}}', 422, "metadata.labels: Invalid value", id="label"
    ),
    pytest.param(
        MAPS, b'{"metadata":{"name":"a","finalizers":["x"]}}', 422, "metadata.finalizers[0]: Invalid", id="finalizer"
    ),
    pytest.param(
        MAPS,
        b'{"metadata":{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"Event","name":"b","uid":"c"}]}}',
        422,
        "Kind=Event is disallowed from being an owner",
        id="owner",
    ),
    pytest.param(
        f"{CORE}/pods", b'{"metadata":{"name":"a"},"spec":{}}', 422, "spec.containers: Required value", id="containers"
    ),
    pytest.param("/api/v1/nodes/a/foo", b"{}", 404, "could not find the requested resource", id="subresource"),
    pytest.param("/api/v1/foos", b"{}", 404, "could not find the requested resource", id="resource"),
    pytest.param("/apis/apps/v9/foos", b"{}", 404, "could not find the requested resource", id="version"),
    pytest.param("/api/v1/configmaps", b"{}", 405, "does not allow this method", id="no namespace"),
    pytest.param(f"{MAPS}/a", b"{}", 405, "does not allow this method", id="POST of a name"),
    pytest.param(f"{CORE}/nodes", b"{}", 404, "could not find", id="nodes have no namespace"),
    pytest.param(f"{CORE}/../x/configmaps", b"{}", (400, 404, 405), "", id="dots"),
]


@pytest.mark.parametrize(("path", "body", "code", "text"), BODIES)
async def test_bodies(api, path, body, code, text):
    before = await api.app.api.storage.revision()
    got, status = await api.call("POST", path, raw=body)
    assert got in (code if isinstance(code, tuple) else (code,)), status
    assert (status["kind"], status["code"]) == ("Status", got)
    assert text in status["message"]
    assert await api.app.api.storage.revision() == before


@pytest.mark.parametrize("name", ["%2e%2e", "a%2Fb"])
async def test_names_are_no_paths(api, name):
    assert (await api.send("GET", f"{MAPS}/{name}")).status_code in (400, 404)
    assert (await api.send("PUT", f"{MAPS}/{name}", config_map("x"))).status_code in (400, 404, 405)


async def test_field_validation(api):
    body = {**config_map("a"), "dada": 1}
    code, status = await api.call("POST", f"{MAPS}?fieldValidation=Strict", body)
    text = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dada"'
    assert (code, status["message"]) == (400, text)
    response = await api.send("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert response.status_code == 201
    assert response.headers["warning"] == '299 - "unknown field \\"dada\\""'
    response = await api.send("POST", f"{MAPS}?fieldValidation=Ignore", {**body, "metadata": {"name": "b"}})
    assert response.status_code == 201
    assert "warning" not in response.headers
    code, status = await api.call("PATCH", f"{MAPS}/a?fieldValidation=Strict", {"dada": 1}, type=MERGE)
    assert code == 422
    assert "strict decoding error" in status["message"]
    code, status = await api.call("POST", f"{MAPS}?fieldValidation=Maybe", body)
    assert code == 422
    assert 'Unsupported value: "Maybe"' in status["message"]


async def test_a_timeout_must_be_a_time(api):
    for path in (MAPS, "/healthz", "/apis/apps/v1"):
        code, status = await api.call("GET", f"{path}?timeout=soon")
        assert (code, status["message"]) == (
            400,
            'invalid timeout specified in the request URL - time: invalid duration "soon"',
        )
        assert (await api.send("GET", f"{path}?timeout=32s")).status_code == 200
        assert (await api.send("GET", f"{path}?timeout=")).status_code == 200


async def test_duplicate_fields(api):
    raw = b'{"metadata":{"name":"a"},"data":{"x":"1"},"data":{"x":"2"}}'
    code, status = await api.call("POST", f"{MAPS}?fieldValidation=Strict", raw=raw)
    assert code == 400
    assert 'duplicate field "data"' in status["message"]
    response = await api.send("POST", MAPS, raw=raw)
    assert response.status_code == 201
    assert 'duplicate field \\"data\\"' in response.headers["warning"]


async def test_every_problem_at_once(api):
    bad = deployment("Web")
    bad["spec"]["template"]["spec"]["containers"].append({"name": "main", "image": "x"})
    bad["spec"]["replicas"] = -1
    code, status = await api.call("POST", f"{APPS}/deployments", bad)
    fields = {cause["field"] for cause in status["details"]["causes"]}
    assert code == 422
    assert {"metadata.name", "spec.replicas", "spec.template.spec.containers[1].name"} <= fields
    assert status["message"].startswith('Deployment.apps "Web" is invalid: [')


async def test_bodies_over_the_limit(api):
    code, status = await api.call("POST", MAPS, config_map("a", {"x": "y" * (3 << 20)}))
    assert (code, status["message"]) == (413, "Request entity too large: limit is 3145728")
    code, status = await api.call("POST", MAPS, config_map("a", {"x": "y" * (1 << 20), "z": "y" * (1 << 20)}))
    assert code in (413, 422)


async def test_objects_over_the_stores_limit(api):
    annotations = {f"k{i}": "x" * 1000 for i in range(200)}
    api.app.api.storage._max_bytes = 100_000
    code, status = await api.call("POST", MAPS, config_map("a", annotations=annotations))
    assert code == 413
    assert status["reason"] == "RequestEntityTooLarge"


class Broken(MemoryStorage):
    """A store that refuses writes from some moment on."""

    error = None

    async def put(self, key, value, *, expect, ttl=0):
        if self.error is not None:
            raise self.error
        return await super().put(key, value, expect=expect, ttl=ttl)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Full("etcdserver: mvcc: database space exceeded"), 500, "database space exceeded (free space"),
        (Unavailable("connection refused"), 503, "etcd does not answer"),
    ],
)
async def test_a_store_that_refuses(error, code, text):
    storage = Broken()
    async with running(storage) as api:
        storage.error = error
        got, status = await api.call("POST", MAPS, config_map("a"))
    assert got == code
    assert text in status["message"]


async def test_names_and_urls_agree(api):
    await api.must("POST", MAPS, config_map("a"))
    code, status = await api.call("PUT", f"{MAPS}/a", config_map("b"))
    assert (code, status["message"]) == (400, "the name of the object (b) does not match the name on the URL (a)")
    code, status = await api.call("PUT", f"{MAPS}/a", {"data": {}})
    assert code == 400
    assert "name must be provided" in status["message"]
    code, status = await api.call("PATCH", f"{MAPS}/a", {"metadata": {"name": "b"}}, type=MERGE)
    assert code == 400
    assert (await api.call("PUT", f"{MAPS}/nope", config_map("nope")))[0] == 404


@pytest.mark.parametrize(
    ("type", "raw", "code", "text"),
    [
        (MERGE, b"{", 400, "error decoding patch"),
        (MERGE, b"[]", 400, "error decoding patch"),
        (JSON_PATCH, b"{}", 400, "error decoding patch"),
        (JSON_PATCH, b'[{"op":"test","path":"/data/key","value":"no"}]', 422, ""),
        ("application/foo", b"{}", 415, "415: Unsupported Media Type"),
        ("application/json", b"{}", 415, "415: Unsupported Media Type"),
        (MERGE, b'{"data":{"key":5}}', 422, "cannot unmarshal number"),
        (MERGE, b'{"metadata":{"uid":"x"}}', (409, 422), ""),
        (MERGE, b'{"metadata":{"creationTimestamp":"2001-01-01T00:00:00Z"}}', (200, 422), None),
        (STRATEGIC, b'{"metadata":null}', (400, 422), ""),
        (MERGE, b'{"kind":null}', (200, 400), None),
        (MERGE, b'{"kind":"Secret"}', 422, "unknown conversion"),
        (STRATEGIC, b'{"kind":"Secret"}', 200, None),
    ],
)
async def test_patches(api, type, raw, code, text):
    await api.must("POST", MAPS, config_map("a"))
    got, status = await api.call("PATCH", f"{MAPS}/a", raw=raw, type=type)
    assert got in (code if isinstance(code, tuple) else (code,)), status
    assert text is None or text in status["message"]
    assert (await api.must("GET", f"{MAPS}/a"))["data"] == {"key": "value"}


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("resourceVersion=abc", 400, "invalid syntax"),
        ("limit=x", 400, "invalid syntax"),
        ("labelSelector=a%3D%3D%3Db", 400, "unable to parse requirement"),
        ("fieldSelector=foo", 400, "invalid selector"),
        (
            "fieldSelector=foo%3Dbar",
            400,
            '"foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("continue=nonsense", 400, "continue key is not valid"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersionMatch=Exact&resourceVersion=0", 422, 'is forbidden for resourceVersion "0"'),
        ("watch=true&sendInitialEvents=true", 422, "sendInitialEvents requires setting resourceVersionMatch"),
    ],
)
async def test_list_options(api, query, code, text):
    got, status = await api.call("GET", f"{MAPS}?{query}")
    assert got == code, status
    assert text in status["message"]


@pytest.mark.parametrize(
    ("accept", "code"),
    [("application/cbor", 406), ("application/vnd.kubernetes.protobuf", 200), ("text/html,*/*;q=0.1", 200)],
)
async def test_media_types_asked_for(api, accept, code):
    assert (await api.send("GET", MAPS, headers={"accept": accept})).status_code == code


async def test_media_types_sent(api):
    code, status = await api.call("POST", MAPS, raw=b"x", type="application/cbor")
    assert code == 415
    assert status["reason"] == "UnsupportedMediaType"
    yaml = b"metadata:\n  name: a\ndata: {key: value}\n"
    assert (await api.must("POST", MAPS, raw=yaml, type="application/yaml"))["data"] == {"key": "value"}
    code, status = await api.call("POST", MAPS, raw=b"a: [", type="application/yaml")
    assert code == 400
    code, status = await api.call("POST", MAPS, raw=b"k8s\0\xff\xff", type="application/vnd.kubernetes.protobuf")
    assert code == 400


async def test_a_version_is_needed_where_the_kind_says_so(api):
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    await api.must("POST", leases, {"metadata": {"name": "a"}, "spec": {}})
    code, status = await api.call("PUT", f"{leases}/a", {"metadata": {"name": "a"}, "spec": {"holderIdentity": "x"}})
    text = 'leases.coordination.k8s.io "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update'
    assert (code, status["message"]) == (422, text)


async def test_cbor_is_not_spoken(api):
    code, _status = await api.call("PATCH", f"{MAPS}/a", raw=b"{}", type="application/apply-patch+cbor")
    assert code == 415


async def test_a_fault_of_ours_shows_no_traceback(api, monkeypatch):
    def broken():
        raise ZeroDivisionError("secret detail")

    api.app.api.clock = broken
    code, status = await api.call("GET", f"{MAPS}/a")
    assert code in (404, 500)
    code, status = await api.call("POST", MAPS, config_map("a"))
    assert code == 500
    assert "secret detail" not in status["message"]
    assert "ZeroDivisionError" in status["message"]


async def test_unknown_pods_subresources(api):
    await api.must("POST", f"{CORE}/pods", pod("a"))
    assert (await api.call("GET", f"{CORE}/pods/a/nope"))[0] == 404

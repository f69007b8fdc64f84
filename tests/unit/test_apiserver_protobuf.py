"""Protobuf bodies as client-go writes and reads them; tests/contract compares with upstream's own library."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apimachinery import kinds as k
from apimachinery import schema
from apiserver import protobuf
from apiserver.protobuf import Malformed, Unwritable, decode, encode


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def envelope(version, kind, raw):
    return b"k8s\0" + field(1, field(1, version) + field(2, kind)) + field(2, raw)


def test_config_map():
    meta = (
        field(1, "a")
        + field(7, 3)
        + field(8, field(1, 1704067200) + field(2, 5))
        + field(11, field(1, "k") + field(2, "v"))
    )
    raw = field(1, meta) + field(2, field(1, "x") + field(2, "1")) + field(3, field(1, "b") + field(2, b"\0\1"))
    assert decode(envelope("v1", "ConfigMap", raw)) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "a", "generation": 3, "creationTimestamp": "2024-01-01T00:00:00Z", "labels": {"k": "v"}},
        "data": {"x": "1"},
        "binaryData": {"b": "AAE="},
    }


def test_what_is_not_a_plain_message():
    volume = field(1, "v") + field(2, field(2, field(1, "Memory") + field(2, field(1, "1Gi"))))  # inline volumeSource
    container = field(1, "c") + field(8, field(1, field(1, "cpu") + field(2, field(1, "10m"))))
    raw = field(2, field(1, volume) + field(2, container) + field(25, -5))
    tree = decode(envelope("v1", "Pod", raw))
    assert tree["spec"] == {
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}],
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "10m"}}}],
        "priority": -5,
    }


def test_empty_things_are_shown_as_go_shows_them():
    assert decode(envelope("v1", "Pod", b"")) == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {},
        "spec": {"containers": None},
        "status": {},
    }


def test_a_bare_object_is_written_with_its_empty_fields():
    data = encode({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a"}})
    head = field(1, field(1, "v1") + field(2, "Namespace"))
    # What upstream writes of a namespace of that name: texts that are never left out, the zero time, spec and status.
    meta = field(1, "a") + b"".join(field(n, "") for n in range(2, 7)) + field(7, 0) + field(8, "")
    assert data == b"k8s\0" + head + field(2, field(1, meta) + field(2, "") + field(3, field(1, ""))) + b"\x1a\0\x22\0"


@pytest.mark.parametrize(
    "tree",
    [
        {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {}},
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": []},
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {}, "data": {"a": 5}},
        {"kind": "Service", "apiVersion": "v1", "spec": {"ports": [{"port": "x"}]}},
        {"kind": "Event", "apiVersion": "v1", "eventTime": "yesterday"},
    ],
)
def test_trees_of_another_shape_are_refused(tree):
    with pytest.raises(Unwritable):
        encode(tree)


@given(st.binary(max_size=60), st.sampled_from(["Pod", "Event", "Secret", "Scale", "Node"]))
def test_any_bytes_are_read_or_refused(raw, kind):
    for data in (raw, b"k8s\0" + raw, envelope("v1", kind, raw)):
        with contextlib.suppress(Malformed):
            assert decode(data)["kind"]


def test_numbers_or_text():
    def port(body):
        return decode(envelope("v1", "Service", field(2, field(1, field(4, body)))))["spec"]["ports"][0]["targetPort"]

    assert port(field(1, 0) + field(2, 80)) == 80
    assert port(field(1, 1) + field(3, "http")) == "http"


def test_micro_times_are_exact():
    raw = field(2, field(4, field(1, 1704067200) + field(2, 123456000)))
    assert (
        decode(envelope("coordination.k8s.io/v1", "Lease", raw))["spec"]["renewTime"] == "2024-01-01T00:00:00.123456Z"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"k8s\0\xff",
        envelope("v1", "Nonsense", b""),
        envelope("v1", "Pod", b"\x0a\xff\xff"),
        envelope("v1", "Pod", b"\x0f"),
        envelope("v1", "Pod", field(1, 5)),
        envelope("v1", "Pod", field(1, field(1, b"\xff"))),
    ],
)
def test_nonsense_is_refused(data):
    with pytest.raises(Malformed):
        decode(data)


def trees_of(definition, depth=4):
    """Trees that decoding knows, with nulls and empty values."""
    described = schema.DEFINITIONS[definition]
    properties = {**described.get("properties", {})} if depth else {}
    return st.fixed_dictionaries({}, optional={name: values_of(inner, depth) for name, inner in properties.items()})


def values_of(inner, depth):
    if (name := schema.target(inner)) is not None:
        short = name.rpartition(".")[2]
        special = {"Quantity": "1", "IntOrString": 0, "Time": "2020-01-01T00:00:00Z", "FieldsV1": {}, "JSON": {}}
        special |= {"MicroTime": "2020-01-01T00:00:00.000000Z", "RawExtension": {}}
        if short in special or not schema.DEFINITIONS[name].get("properties"):
            return st.sampled_from([None, special.get(short)])
        return st.none() | trees_of(name, depth - 1)
    kind = inner.get("type", "")
    kind = next((k for k in kind if k != "null"), "") if isinstance(kind, list) else kind
    if kind == "array":
        return st.none() | st.lists(values_of(inner["items"], depth), max_size=2)
    if kind == "object":
        more = inner.get("additionalProperties")
        return st.none() | st.dictionaries(st.sampled_from("ab"), values_of(more, depth) if more else st.none())
    plain = {"string": "" if inner.get("format") == "byte" else "x", "integer": 1, "boolean": True, "number": 1}
    return st.sampled_from([None, plain[kind], type(plain[kind])()])


DECODED = [k.PODS, k.SERVICES, k.INGRESSES, k.DEPLOYMENTS, k.ENDPOINTSLICES, k.IPADDRESSES, k.RESOURCESLICES, k.EVENTS]


@pytest.mark.parametrize("kind", [*DECODED, k.CUSTOMRESOURCEDEFINITIONS, k.APISERVICES], ids=lambda kind: kind.kind)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_was_decoded_has_its_shape_but_for_what_is_looked_at_again(kind, data):
    tree = data.draw(trees_of(schema.definition(kind)))
    tree = {**tree, "apiVersion": kind.api_version, "kind": kind.kind}
    decoded, _ = schema.decode_object(kind, tree, strict=False)
    assert protobuf.shaped_after_decoding(decoded, kind) == protobuf.shaped(decoded)
    if kind in DECODED:
        assert protobuf.shaped(decoded) == decoded

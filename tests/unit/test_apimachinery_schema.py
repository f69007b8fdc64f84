"""Decoding by the schema: what a Go struct keeps of a tree. Messages were printed by sigs.k8s.io/json on k8s.io/api."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import kinds, schema
from apimachinery.errors import ApiError
from apimachinery.fields import Mistyped
from apimachinery.kinds import Kind

WIDGETS = Kind(group="example.com", kind="Widget", plural="widgets")


def decoded(kind, tree):
    return schema.decode_object(kind, tree, strict=True)[0]


@pytest.mark.parametrize(
    ("kind", "tree", "kept"),
    [
        pytest.param(
            kinds.PODS,
            {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1000m", "memory": 1024}}}]}},
            {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1024"}}}]}},
            id="quantities become canonical",
        ),
        pytest.param(
            kinds.PODS,
            {"metadata": {"creationTimestamp": "2024-01-01T01:00:00.5+01:00", "labels": None}},
            {"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"}},
            id="times are normal, nulls are gone",
        ),
        pytest.param(
            kinds.PODS,
            {"spec": {"nodeName": "", "hostNetwork": False, "volumes": [], "nodeSelector": {}, "securityContext": {}}},
            {"spec": {"securityContext": {}}},
            id="empty optional values are gone, structs stay",
        ),
        pytest.param(
            kinds.PODS,
            {"spec": {"automountServiceAccountToken": False, "priority": 0}},
            {"spec": {"automountServiceAccountToken": False, "priority": 0}},
            id="zeros of pointers are values",
        ),
        pytest.param(
            kinds.PERSISTENTVOLUMECLAIMS,
            {"spec": {"storageClassName": ""}},
            {"spec": {"storageClassName": ""}},
            id="an empty storage class is not the default one",
        ),
        pytest.param(
            kinds.CLUSTERROLES,
            {"rules": [{"verbs": [], "apiGroups": [""]}]},
            {"rules": [{"verbs": [], "apiGroups": [""]}]},
            id="required values stay, empty or not",
        ),
        pytest.param(
            kinds.SERVICES,
            {"spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}, None]}},
            {"spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}, {}]}},
            id="int-or-string stays what it was; a null in a list is a zero",
        ),
        pytest.param(
            kinds.CONFIGMAPS,
            {"data": {"a": None, "b": "x"}},
            {"data": {"a": "", "b": "x"}},
            id="a null in a map is a zero",
        ),
        pytest.param(
            kinds.LEASES,
            {"spec": {"renewTime": "2024-01-01T00:00:00.000001Z"}},
            {"spec": {"renewTime": "2024-01-01T00:00:00.000001Z"}},
            id="micro times keep their digits",
        ),
        pytest.param(kinds.SECRETS, {"data": {"a": "YW\nJj"}}, {"data": {"a": "YWJj"}}, id="base64 in one line"),
        pytest.param(
            kinds.CUSTOMRESOURCEDEFINITIONS,
            {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"maximum": 1.5, "minimum": 0}}}]}},
            {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"maximum": 1.5, "minimum": 0}}}]}},
            id="numbers",
        ),
        pytest.param(
            kinds.CONTROLLERREVISIONS,
            {"data": {"any": [None, {"x": None}]}, "revision": 0},
            {"data": {"any": [None, {"x": None}]}, "revision": 0},
            id="raw JSON is left alone",
        ),
        pytest.param(
            kinds.CUSTOMRESOURCEDEFINITIONS,
            {
                "spec": {
                    "versions": [{"schema": {"openAPIV3Schema": {"default": None, "properties": {"a": {"items": {}}}}}}]
                }
            },
            {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"properties": {"a": {"items": {}}}}}}]}},
            id="definitions that contain themselves",
        ),
    ],
)
def test_what_is_kept(kind, tree, kept):
    decoded, problems = schema.decode_object(kind, tree, strict=True)
    assert problems == []
    assert is_zeros_and(kept, decoded)


def is_zeros_and(kept, decoded):
    """Whether `decoded` has what is kept, and beyond it nothing but the zeros that Go writes."""
    if isinstance(decoded, dict) and isinstance(kept, dict):
        more = decoded.keys() - kept.keys()
        return (
            kept.keys() <= decoded.keys()
            and all(is_zeros_and(kept[n], decoded[n]) for n in kept)
            and all(is_zeros_and({}, decoded[n]) if isinstance(decoded[n], dict) else not decoded[n] for n in more)
        )
    if isinstance(decoded, list) and isinstance(kept, list):
        return len(decoded) == len(kept) and all(map(is_zeros_and, kept, decoded))
    return decoded == kept


def test_what_go_always_writes_is_there():
    decoded, _ = schema.decode_object(kinds.EVENTS, {"series": {}}, strict=True)
    assert decoded == {
        "metadata": {},
        "involvedObject": {},
        "source": {},
        "series": {"lastObservedTime": None},
        "eventTime": None,
        "firstTimestamp": None,
        "lastTimestamp": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }
    node, _ = schema.decode_object(kinds.NODES, {}, strict=True)
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    assert node["status"]["nodeInfo"]["kubeletVersion"] == ""


@pytest.mark.parametrize(
    ("kind", "tree", "why"),
    [
        (
            kinds.DEPLOYMENTS,
            {"spec": {"replicas": "3"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            kinds.DEPLOYMENTS,
            {"spec": {"replicas": 3000000000}},
            "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            kinds.DEPLOYMENTS,
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            kinds.PODS,
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            kinds.PODS,
            {"spec": {"containers": [{"imagePullPolicy": True}]}},
            "json: cannot unmarshal bool into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy",
        ),
        (
            kinds.PODS,
            {"spec": {"containers": {}}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            kinds.PODS,
            {"spec": {"containers": [{"resources": {"limits": []}}]}},
            (
                "json: cannot unmarshal array into Go struct field "
                "ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList"
            ),
        ),
        (
            kinds.PODS,
            {"spec": {"nodeSelector": "x"}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.nodeSelector of type map[string]string",
        ),
        (
            kinds.PODS,
            {"spec": {"hostNetwork": "x"}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        (
            kinds.SERVICES,
            {"spec": {"ports": [{"targetPort": True}]}},
            "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            kinds.PODS,
            {"metadata": {"creationTimestamp": 5}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            kinds.PODS,
            {"metadata": {"creationTimestamp": "x"}},
            'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
        ),
        (
            kinds.PODS,
            {"spec": {"overhead": {"cpu": "1x"}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            kinds.PODS,
            {"spec": {"overhead": {"cpu": True}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (kinds.SECRETS, {"data": {"a": "YWI"}}, "illegal base64 data at input byte 0"),
        (kinds.SECRETS, {"data": {"a": "YWJj$$$$"}}, "illegal base64 data at input byte 4"),
        (
            kinds.SECRETS,
            {"data": {"a": 5}},
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8",
        ),
        (
            kinds.CUSTOMRESOURCEDEFINITIONS,
            {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"maximum": "x"}}}]}},
            (
                "json: cannot unmarshal string into Go struct field "
                "JSONSchemaProps.spec.versions.schema.openAPIV3Schema.maximum of type float64"
            ),
        ),
    ],
)
def test_mistyped_fields_in_gos_words(kind, tree, why):
    with pytest.raises(ApiError) as caught:
        schema.decode_object(kind, tree, strict=False)
    assert caught.value.code == 400
    assert caught.value.message == f'{kind.kind} in version "v1" cannot be handled as a {kind.kind}: {why}'


def test_a_whole_object_of_the_wrong_type():
    with pytest.raises(Mistyped, match=r"^json: cannot unmarshal array into Go value of type v1\.Pod$"):
        schema.decode_definition(schema.definition(kinds.PODS), [], strict=True)


def test_unknown_fields_are_dropped_and_reported():
    tree = {
        "foo": 1,
        "metadata": {"labels": {"any": "x"}, "Name": "x"},
        "spec": {"containers": [{"name": "c"}, {"bar": {"x": 1}}], "overhead": {"cpu": "1"}},
        "status": {"phase": "x"},
    }
    kept, problems = schema.decode_object(kinds.PODS, tree, strict=True)
    assert problems == [
        'unknown field "foo"',
        'unknown field "metadata.Name"',
        'unknown field "spec.containers[1].bar"',
    ]
    assert kept["spec"]["containers"][1] == {"name": "", "resources": {}}
    assert "foo" not in kept
    assert schema.decode_object(kinds.PODS, tree, strict=False) == (kept, [])
    assert schema.check_fields(kinds.PODS, tree) == problems
    assert (
        schema.strict_error(problems[:2]) == 'strict decoding error: unknown field "foo", unknown field "metadata.Name"'
    )


def test_a_hundred_unknown_fields_are_enough():
    assert len(schema.check_fields(kinds.PODS, {str(i): i for i in range(200)})) == 100


def test_missing_required_fields():
    tree = {"spec": {"containers": [{"image": "x", "env": [{}]}], "overhead": {"cpu": "1"}}}
    assert [str(e) for e in schema.required_missing(kinds.PODS, tree)] == [
        "spec.containers[0].name: Required value",
        "spec.containers[0].env[0].name: Required value",
    ]


def test_raw_json_has_no_unknown_fields():
    tree = {"data": {"anything": [{"x": {}}]}, "foo": 1}
    assert schema.check_fields(kinds.CONTROLLERREVISIONS, tree) == ['unknown field "foo"']
    assert [e.path for e in schema.required_missing(kinds.CONTROLLERREVISIONS, tree)] == ["revision"]


def test_kinds_without_a_definition_pass():
    tree = {"spec": {"any": None}}
    assert schema.decode_object(WIDGETS, tree, strict=True) == (tree, [])
    assert schema.check_fields(WIDGETS, tree) == schema.required_missing(WIDGETS, tree) == []


def test_definitions_are_found_by_kind():
    assert schema.definition(kinds.PODS) == "io.k8s.api.core.v1.Pod"
    assert schema.definition_of("autoscaling", "v1", "Scale") == "io.k8s.api.autoscaling.v1.Scale"
    assert len(schema.DEFINITIONS) == len(list(schema.DEFINITIONS)) > 700
    assert [kind.kind for kind in kinds.KINDS if schema.definition(kind) is None] == []


def test_every_kind_compiles_and_keeps_an_empty_object():
    for kind in kinds.KINDS:
        assert decoded(kind, {"metadata": {"name": "x"}}).get("metadata", {"name": "x"}) == {"name": "x"}


@pytest.mark.parametrize(
    ("kind", "sent", "seen"),
    [
        pytest.param(kinds.CONFIGMAPS, {"binaryData": {}, "data": None}, {"binaryData": {}}, id="a map"),
        pytest.param(kinds.CONFIGMAPS, {"data": {"a": "b"}}, {"data": {"a": "b"}}, id="nothing empty"),
        pytest.param(
            kinds.PODS,
            {"spec": {"nodeName": "", "volumes": [], "containers": [{"name": "c", "env": []}, {"name": "d"}]}},
            {"spec": {"volumes": [], "containers": [{"name": "c", "env": [], "resources": {}}, {"name": "d", "resources": {}}]}},
            id="deep in lists",
        ),
        pytest.param(
            kinds.NETWORKPOLICIES,
            {"spec": {"podSelector": {"matchLabels": {}}, "ingress": []}},
            {"spec": {"podSelector": {}, "ingress": []}},
            id="not in selectors",
        ),
        pytest.param(kinds.PODS, {"spec": {"odd": [], "containers": []}}, {"spec": {"containers": []}}, id="unknown"),
    ],
)  # fmt: skip
def test_what_was_sent_empty_is_seen_empty(kind, sent, seen):
    made = decoded(kind, sent)
    found = schema.with_empties(kind, sent, made, sent.keys())
    assert found == {**made, **seen}
    assert made == decoded(kind, sent)  # as it was


SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "1Gi", "1000m"])


def trees(name, depth=3):
    """Trees that mostly fit a definition."""
    properties = schema.DEFINITIONS[name].get("properties", {})
    fields = {key: values(inner, depth) for key, inner in properties.items()}
    return st.fixed_dictionaries({}, optional=fields)


def values(inner, depth):
    found = schema.resolved(inner)
    if depth == 0 or "properties" not in found:
        if "items" in found and depth:
            return st.lists(values(found["items"], depth - 1), max_size=2) | SCALARS
        return SCALARS | st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2)
    return trees(schema.target(inner), depth - 1)


@given(trees("io.k8s.api.core.v1.Service"))
def test_decoding_twice_changes_nothing_more(tree):
    try:
        once = decoded(kinds.SERVICES, tree)
    except ApiError:
        return
    assert schema.decode_object(kinds.SERVICES, once, strict=True) == (once, [])

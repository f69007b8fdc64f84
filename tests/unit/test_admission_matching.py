"""Which requests rules and selectors are about, and which answers of webhooks make sense: pure."""

import base64

import pytest

from apimachinery.errors import ApiError
from apiserver.admission import review
from apiserver.admission.matching import Criteria, selector
from apiserver.admission.subject import Form, Subject
from apiserver.admission.webhook_source import hooks
from apiserver.request import Attributes, User


def form(plural="pods", group="", version="v1", kind="Pod"):
    return Form(group, version, plural, group, version, kind)


def subject(operation="CREATE", *, own=None, subresource="", namespace="default", name="a", others=()):
    own = own or form()
    attributes = Attributes(
        user=User("u"), verb="create", plural=own.plural, subresource=subresource, namespace=namespace, name=name
    )
    return Subject(attributes=attributes, operation=operation, own=own, equivalents=lambda: others)


def rule(resources, operations=("*",), groups=("*",), versions=("*",), **more):
    return {"resources": resources, "operations": operations, "apiGroups": groups, "apiVersions": versions, **more}


class World:
    def __init__(self, **labels):
        self.labels = labels

    def get(self, _kind, _namespace, name):
        return {"metadata": {"labels": self.labels[name]}} if name in self.labels else None


@pytest.mark.parametrize(
    ("resources", "subresource", "matches"),
    [
        (["pods"], "", True),
        (["pods"], "exec", False),
        (["*"], "", True),
        (["*"], "exec", False),
        (["pods/*"], "exec", True),
        (["pods/*"], "", True),
        (["*/exec"], "exec", True),
        (["*/exec"], "", False),
        (["*/*"], "exec", True),
        (["*/*"], "", True),
        (["services", "pods/exec"], "exec", True),
        (["services"], "", False),
    ],
)
def test_resources(resources, subresource, matches):
    found = Criteria([rule(resources)]).match(subject(subresource=subresource), {}, None, World())
    assert (found is not None) == matches


@pytest.mark.parametrize(
    ("given", "asked", "matches"),
    [
        (rule(["*"], operations=["UPDATE"]), subject("CREATE"), False),
        (rule(["*"], groups=["apps"]), subject(), False),
        (rule(["*"], versions=["v2"]), subject(), False),
        (rule(["*"], scope="Namespaced"), subject(), True),
        (rule(["*"], scope="Cluster"), subject(), False),
        (rule(["*"], scope="Cluster"), subject(namespace=""), True),
        (rule(["*"], scope="Cluster"), subject(own=form("namespaces", kind="Namespace"), namespace="x"), True),
        (rule(["*"], scope="Namespaced"), subject(own=form("namespaces", kind="Namespace"), namespace="x"), False),
        (rule(["*"], resourceNames=["a"]), subject(), True),
        (rule(["*"], resourceNames=["b"]), subject(), False),
    ],
)
def test_rules(given, asked, matches):
    assert (Criteria([given]).match(asked, {}, None, World()) is not None) == matches


def test_earlier_rules_choose_the_equivalent_version():
    v1, v2, v3 = (form("things", "g", version, "Thing") for version in ("v1", "v2", "v3"))
    asked = subject(own=v1, others=(v1, v2, v3))
    rules = [rule(["things"], versions=["v3"]), rule(["things"], versions=["v2"])]
    assert Criteria(rules).match(asked, {}, None, World()) == v3
    assert Criteria(rules, equivalent=False).match(asked, {}, None, World()) is None
    assert Criteria([*rules, rule(["*"], versions=["v1"])]).match(asked, {}, None, World()) == v1


def test_a_namespace_that_is_not_there_matters_only_where_all_else_matches():
    wanted = selector({"matchLabels": {"x": "y"}})
    assert Criteria([rule(["services"])], namespaces=wanted).match(subject(), {}, None, World()) is None
    with pytest.raises(ApiError, match='namespaces "default" not found'):
        Criteria([rule(["pods"])], namespaces=wanted).match(subject(), {}, None, World())
    assert Criteria([rule(["pods"])], namespaces=wanted).match(subject(), {}, None, World(default={"x": "y"}))
    assert Criteria([rule(["pods"])], namespaces=wanted).match(subject(namespace=""), {}, None, World())


def test_either_object_may_carry_the_labels():
    criteria = Criteria([rule(["*"])], objects=selector({"matchLabels": {"a": "b"}}))
    labelled, bare = {"metadata": {"labels": {"a": "b"}}}, {"metadata": {}}
    for new, old, matches in (
        (labelled, None, True),
        (bare, labelled, True),
        (bare, bare, False),
        (None, labelled, True),
    ):
        assert (criteria.match(subject(), new, old, World()) is not None) == matches


def test_hooks_are_asked_in_order_of_their_configurations_names():
    def made(name, *rows):
        return {"metadata": {"name": name}, "webhooks": [{"name": row} for row in rows]}

    found = hooks([made("b", "x"), made("a", "z", "y")])
    assert [hook.name for hook in found] == ["z", "y", "x"]
    assert [hook.index for hook in found] == [0, 1, 2]


def answered(version="v1", **response):
    return {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "response": {"uid": "u", **response},
    }


PATCH = base64.b64encode(b"[]").decode()


@pytest.mark.parametrize(
    ("tree", "mutating", "why"),
    [
        (answered() | {"response": None}, True, "webhook response was absent"),
        (answered(uid="w"), True, 'expected response.uid="u", got "w"'),
        (
            answered() | {"apiVersion": ""},
            True,
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got",
        ),
        (answered(patch=PATCH), True, "webhook returned response.patch but not response.patchType"),
        (answered(patchType="JSONPatch"), True, "webhook returned response.patchType but not response.patch"),
        (answered(patchType="JSONPatch"), False, "validating webhook may not return response.patchType"),
    ],
)
def test_nonsense(tree, mutating, why):
    with pytest.raises(review.Nonsense, match=why):
        review.verified(tree, "v1", "u", mutating=mutating)


_GO_TYPE = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
_FIELD = "json: cannot unmarshal {} into Go struct field AdmissionRe{} of type {}"


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (
            [],
            f"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type {_GO_TYPE}",
        ),
        (
            answered() | {"apiVersion": "v1", "kind": "Pod"},
            'no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:110"',
        ),
        (answered("v1beta1"), "converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion"),
        (answered() | {"response": []}, _FIELD.format("array", "view.response", "v1.AdmissionResponse")),
        (answered(allowed="yes"), _FIELD.format("string", "sponse.response.allowed", "bool")),
        (answered(warnings=1), _FIELD.format("number", "sponse.response.warnings", "[]string")),
        (answered(patch="aa?", patchType="JSONPatch"), "illegal base64 data at input byte 2"),
    ],
)
def test_what_is_no_review_at_all(tree, why):
    with pytest.raises(review.Undecodable) as refused:
        review.verified(tree, "v1", "u", mutating=True)
    assert str(refused.value) == why


def test_v1beta1_is_taken_as_it_comes():
    tree = answered("v1beta1", allowed=True, patch=PATCH) | {"kind": ""}
    tree["response"].pop("uid")
    tree.pop("kind"), tree.pop("apiVersion")
    assert review.verified(tree, "v1beta1", "u", mutating=True).patch == b"[]"
    assert review.version_for(["v7", "v1beta1", "v1"]) == "v1beta1"
    assert review.version_for(["v7"]) is None

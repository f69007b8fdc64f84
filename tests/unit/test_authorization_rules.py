"""One rule: what it allows, and what it covers; against a plain reading of the rules' meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.authorization.rules import compact, compiled, merged, uncovered
from apiserver.request import Attributes, User

USER = User("u")


def ask(verb, resource="", name="", group="", path=""):
    plural, _, subresource = resource.partition("/")
    return Attributes(
        user=USER,
        verb=verb,
        is_resource=not path,
        group=group,
        plural=plural,
        subresource=subresource,
        name=name,
        path=path,
    )


def rule(verbs="", resources="", groups="", names="", urls=""):
    split = {"verbs": verbs, "resources": resources, "resourceNames": names, "nonResourceURLs": urls}
    found = {key: text.split(",") for key, text in split.items() if text}
    return {**found, "apiGroups": groups.split(",")} if resources else found


@pytest.mark.parametrize(
    ("held", "question", "allowed"),
    [
        pytest.param(rule("get", "pods"), ask("get", "pods"), True, id="plain"),
        pytest.param(rule("get", "pods"), ask("list", "pods"), False, id="other verb"),
        pytest.param(rule("*", "*", "*"), ask("bind", "x/y", group="g"), True, id="everything"),
        pytest.param(rule("get", "pods"), ask("get", "pods/log"), False, id="subresource is another resource"),
        pytest.param(rule("get", "*/scale", "*"), ask("get", "deployments/scale", group="apps"), True, id="any scale"),
        pytest.param(rule("get", "*/scale"), ask("get", "pods"), False, id="star slash is no parent"),
        pytest.param(rule("get", "*"), ask("get", "pods/log"), True, id="star is every subresource"),
        pytest.param(rule("get", "pods"), ask("get", "pods", group="metrics.k8s.io"), False, id="other group"),
        pytest.param(rule("get", "pods", names="a"), ask("get", "pods", "a"), True, id="name"),
        pytest.param(rule("get", "pods", names="a"), ask("get", "pods", "b"), False, id="other name"),
        pytest.param(rule("list", "pods", names="a"), ask("list", "pods"), False, id="names do not allow lists"),
        pytest.param(rule("get", urls="/healthz"), ask("get", path="/healthz"), True, id="path"),
        pytest.param(rule("get", urls="/healthz"), ask("get", path="/healthz/x"), False, id="path is exact"),
        pytest.param(rule("get", urls="/api/*"), ask("get", path="/api/v1"), True, id="prefix"),
        pytest.param(rule("get", urls="/api/*"), ask("get", path="/api"), False, id="prefix with its slash"),
        pytest.param(rule("*", urls="*"), ask("post", path="/x"), True, id="any path"),
        pytest.param(rule("*", "*", "*"), ask("get", path="/x"), False, id="resources are no paths"),
        pytest.param(rule("*", urls="*"), ask("get", "pods"), False, id="paths are no resources"),
    ],
)
def test_rule_allows(held, question, allowed):
    assert compiled(held).allows(question) is allowed


@pytest.mark.parametrize(
    ("owned", "wanted", "missing"),
    [
        pytest.param([rule("*", "*", "*")], [rule("get", "pods/log", names="a")], [], id="all covers all"),
        pytest.param([rule("get", "pods")], [rule("get,list", "pods")], ["list"], id="verb"),
        pytest.param([rule("get", "pods"), rule("list", "pods")], [rule("get,list", "pods")], [], id="in pieces"),
        pytest.param([rule("get", "pods", names="a")], [rule("get", "pods")], ["get"], id="a name is not all names"),
        pytest.param([rule("get", "pods")], [rule("get", "pods", names="a")], [], id="all names cover one"),
        pytest.param([rule("get", "*/scale")], [rule("get", "pods/scale")], [], id="star slash"),
        pytest.param([rule("get", "pods")], [rule("*", "pods")], ["*"], id="star is not a verb one holds"),
        pytest.param([rule("get", urls="/a/*")], [rule("get", urls="/a/b/*")], [], id="prefix within prefix"),
        pytest.param([rule("get", urls="/a/b")], [rule("get", urls="/a/*")], ["get"], id="path covers no prefix"),
    ],
)
def test_uncovered(owned, wanted, missing):
    assert [part["verbs"][0] for part in uncovered(owned, wanted)] == missing


def test_compact_is_what_go_prints():
    parts = uncovered([], [rule("get,list", "pods", names="x"), rule("get", urls="/a")])
    assert [compact(r) for r in merged(parts)] == [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/a"], Verbs:["get"]}',
    ]


WORDS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2)
RESOURCES = st.lists(st.sampled_from(["p", "q", "p/s", "*/s", "*"]), min_size=1, max_size=2)
RULES = st.fixed_dictionaries(
    {"verbs": WORDS, "apiGroups": WORDS, "resources": RESOURCES},
    optional={"resourceNames": st.lists(st.sampled_from(["n", "m"]), max_size=2)},
)
QUESTIONS = st.builds(
    ask,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["p", "q", "p/s", "q/s"]),
    st.sampled_from(["", "n", "m"]),
    st.sampled_from(["a", "b"]),
)


def plainly_allows(held, question):
    """The same, spelled out."""
    resource = question.plural + ("/" + question.subresource if question.subresource else "")
    for verb in held["verbs"]:
        for group in held["apiGroups"]:
            for name in held["resources"]:
                star = bool(question.subresource) and name == f"*/{question.subresource}"
                names = held.get("resourceNames") or [question.name]
                if (
                    verb in ("*", question.verb)
                    and group in ("*", question.group)
                    and (name in ("*", resource) or star)
                    and question.name in names
                ):
                    return True
    return False


@given(RULES, QUESTIONS)
def test_rule_against_plain_reading(held, question):
    assert compiled(held).allows(question) is plainly_allows(held, question)


@given(st.lists(RULES, max_size=3), st.lists(RULES, max_size=2), QUESTIONS)
def test_whoever_covers_also_allows(owned, wanted, question):
    if not uncovered(owned, wanted) and any(compiled(r).allows(question) for r in wanted):
        assert any(compiled(r).allows(question) for r in owned)

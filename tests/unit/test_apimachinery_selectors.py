"""Selectors; canonical texts and messages were printed by upstream's labels.Parse and fields.ParseSelector."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import selectors
from apimachinery.objects.base import view
from apimachinery.objects.meta_v1 import LabelSelector as LabelSelectorView
from apimachinery.selectors import from_label_selector, parse_fields, parse_labels


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" app = web ", "app=web"),
        ("b==1,a!=2", "a!=2,b==1"),
        ("x in (foo,,baz),y,z notin ()", "x in (,baz,foo),y,z notin ()"),
        ("!gone", "!gone"),
        ("in in (in,notin)", "in in (in,notin)"),
        ("n>5,n<9", "n>5,n<9"),
        ("a=,b", "a=,b"),
        ("x in (,)", "x in ()"),
        ("a,", "a"),
    ],
)
def test_label_selectors_have_a_canonical_text(text, canonical):
    if text == "a,":
        with pytest.raises(ValueError, match="found '', expected: identifier after ','"):
            parse_labels(text)
        return
    assert str(parse_labels(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b,=", "found '=', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a==!", "unable to parse requirement: found '!', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b,=", "unable to parse requirement: found '=', expected: ',', or identifier"),
        (
            "a>x",
            (
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, "
                "the value must be an integer"
            ),
        ),
    ],
)
def test_label_selectors_are_refused_in_upstreams_words(text, message):
    with pytest.raises(ValueError) as caught:
        parse_labels(text)
    assert str(caught.value) == message


def test_bad_keys_and_values_name_the_rule():
    with pytest.raises(ValueError, match=r'^unable to parse requirement: <nil>: Invalid value: "-a": name part must'):
        parse_labels("-a")
    with pytest.raises(
        ValueError, match=r'^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-": a valid'
    ):
        parse_labels("a=-")


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a=1", {"a": "1"}, True),
        ("a=1", {}, False),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a in (1,2)", {"a": "2"}, True),
        ("a notin (1,2)", {}, True),
        ("a notin (1,2)", {"a": "1"}, False),
        ("a>5", {"a": "6"}, True),
        ("a>5", {"a": "5"}, False),
        ("a<5", {"a": "4"}, True),
        ("a<5", {"a": "x"}, False),
        ("a<5", {}, False),
        ("a=1,b", {"a": "1"}, False),
    ],
)
def test_matching_labels(text, labels, matches):
    assert parse_labels(text).matches(labels) is matches


def test_label_selectors_of_objects():
    tree = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "In", "values": ["2"]}]}
    assert str(from_label_selector(tree)) == "a=1,b in (2)"
    assert from_label_selector(view(tree, LabelSelectorView)) == from_label_selector(tree)
    assert from_label_selector({}).is_everything
    assert not from_label_selector(None).matches({})
    assert not selectors.NOTHING.is_everything
    assert str(selectors.from_labels({"b": "2", "a": "1"})) == "a=1,b=2"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"key": "a", "operator": "Near"}, '"Near" is not a valid label selector operator'),
        ({"key": "a", "operator": "In"}, "for 'in', 'notin' operators, values set can't be empty"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values set must be empty for exists and does not exist"),
        ({"key": "-", "operator": "In"}, r"^\[key: Invalid value.*, values: Invalid value.*\]$"),
    ],
)
def test_broken_label_selectors_of_objects(expression, message):
    with pytest.raises(ValueError, match=message):
        from_label_selector({"matchExpressions": [expression]})


def test_label_selectors_are_validated_with_paths():
    selector = {
        "matchLabels": {"a": "-"},
        "matchExpressions": [
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "Exists", "values": ["-"]},
            {"key": "", "operator": "Near"},
            {"key": "a", "operator": "NotIn", "values": ["b"]},
            {"key": "a", "operator": "DoesNotExist"},
        ],
    }
    errors = [f"{e.path} {e.kind}" for e in selectors.check_label_selector(selector, "spec.selector")]
    assert errors == [
        "spec.selector.matchLabels FieldValueInvalid",
        "spec.selector.matchExpressions[0].values FieldValueRequired",
        "spec.selector.matchExpressions[1].values FieldValueForbidden",
        "spec.selector.matchExpressions[1].values[0] FieldValueInvalid",
        "spec.selector.matchExpressions[2].operator FieldValueInvalid",
        "spec.selector.matchExpressions[2].key FieldValueInvalid",
        "spec.selector.matchExpressions[2].key FieldValueInvalid",
    ]
    assert selectors.check_label_selector(None, "x") == []


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("metadata.name=x", "metadata.name=x"),
        ("b==1,a!=2", "a!=2,b=1"),
        (r"a=x\,y\=z\\", r"a=x\,y\=z\\"),
        ("=,a=", "a="),
    ],
)
def test_field_selectors_have_a_canonical_text(text, canonical):
    assert str(parse_fields(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_field_selectors_are_refused_in_upstreams_words(text, message):
    with pytest.raises(ValueError) as caught:
        parse_fields(text)
    assert str(caught.value) == message


def test_matching_fields():
    selector = parse_fields("spec.nodeName=n1,status.phase!=Failed")
    assert selector.matches({"spec.nodeName": "n1"})
    assert not selector.matches({"spec.nodeName": "n1", "status.phase": "Failed"})
    assert (selector.required("spec.nodeName"), selector.required("status.phase")) == ("n1", None)


NAMES = st.text("ab1", min_size=1, max_size=3)
LABELS = st.dictionaries(NAMES, st.sampled_from(["", "a", "1", "7"]), max_size=4)
REQUIREMENTS = st.one_of(
    st.builds("{}".format, NAMES),
    st.builds("!{}".format, NAMES),
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", "==", "!="]), st.sampled_from(["", "a", "1"])),
    st.builds("{} {} (a,1)".format, NAMES, st.sampled_from(["in", "notin"])),
    st.builds("{}{}5".format, NAMES, st.sampled_from("<>")),
)


@given(st.lists(REQUIREMENTS, max_size=4), LABELS)
def test_a_selector_is_the_conjunction_of_its_requirements(texts, labels):
    whole = parse_labels(",".join(texts))
    assert whole.matches(labels) == all(parse_labels(text).matches(labels) for text in texts)
    assert parse_labels(str(whole)) == whole


@given(st.dictionaries(NAMES, st.text(max_size=5), max_size=3))
def test_any_field_value_can_be_escaped(fields):
    selector = selectors.FieldSelector(
        tuple(selectors.FieldRequirement(name, equal=True, value=fields[name]) for name in sorted(fields))
    )
    assert parse_fields(str(selector)).matches(fields)

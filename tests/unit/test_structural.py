"""Structural schemas: compared with upstream's own answers, and the rules that those do not show.

`structural_answers.json` holds random schemas and objects with what apiextensions-apiserver v0.34.1 makes of them:
unknown fields, the object pruned and defaulted, and every violation, with an older object or without.
"""

import json
import time
from pathlib import Path

import pytest

from apimachinery.errors import go_number
from apimachinery.trees import copied
from apiserver.structural import defaulting, embedded, formats, lists, node, patterns, pruning, rules, values
from apiserver.structural.correlation import Correlation

RULES = json.loads((Path(__file__).parent / "rule_answers.json").read_text())
CASES = json.loads((Path(__file__).parent / "structural_answers.json").read_text())


def answer(schema, sent, before):
    """What we make of an object, in the form of the file."""
    compiled = node.compiled(defaulting.with_pruned_defaults(schema))
    tree = copied(sent)
    found = {"unknown": pruning.pruned(tree, compiled)}
    defaulting.drop_nulls(tree, compiled)
    try:
        found["unknown"] += embedded.coerce(tree, compiled)
    except ValueError:
        return {"coerce": True}
    defaulting.default(tree, compiled)
    found["object"] = tree
    was = Correlation(tree, copied(before), compiled) if before is not None else None
    problems = [*values.Validator(schema).check(tree, was=was), *embedded.check(tree, compiled)]
    if was is None or not any(lists.check(was.old, compiled)):
        problems += lists.check(tree, compiled)
    found["errors"] = sorted({str(problem) for problem in problems})
    found["unknown"] = sorted(set(found["unknown"]))
    return found


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_as_upstream_answers(case):
    got, want = answer(case["schema"], case["object"], case.get("before")), case["answer"]
    if "coerce" in want:
        assert "coerce" in got
    else:
        assert got == want


def checked(schema, value):
    return [str(problem) for problem in values.Validator(schema).check(value)]


def test_a_root_problem_has_no_field():
    schema = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert checked(schema, {})[0] == (
        '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found none valid'
    )


def test_a_status_is_named_from_its_object():
    validator = values.Validator({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["m"]})
    assert [str(problem) for problem in validator.check({"n": "x"}, prefix="status")] == [
        'status.n: Invalid value: "string": n in body must be of type integer: "string"',
        "status.m: Required value",
    ]


def test_a_pattern_cannot_burn_time():
    began = time.process_time()
    assert not patterns.matches("^(a+)+$", "a" * 50_000 + "!")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("[a", "missing closing ]: `[a`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_bad_patterns_are_told_as_go_tells_them(pattern, complaint):
    with pytest.raises(patterns.BadPattern, match="error parsing regexp") as found:
        patterns.compiled(pattern)
    assert str(found.value) == f"error parsing regexp: {complaint}"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2024-02-29T23:59:59.5Z", "2023-02-29T00:00:00Z"),
        ("date", "2000-02-29", "1900-02-29"),
        ("duration", "1h5m", "soon"),
        ("uri", "https://example.com/a", "http://a b"),
        ("email", "a@example.com", "a@"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "fe80::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
        ("mac", "01:23:45:67:89:ab", "01:23:45"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("isbn", "978-0321751041", "978-0321751042"),
        ("byte", "aGVsbG8=", "aGVsbG8"),
        ("hexcolor", "#fff", "#ff"),
        ("rgbcolor", "rgb(1, 2, 255)", "rgb(1, 2, 256)"),
        ("k8s-short-name", "a-1", "a.b"),
        ("k8s-long-name", "a.b-1", "a..b"),
    ],
)
def test_formats(name, good, bad):
    assert formats.holds(name, good)
    assert not formats.holds(name, bad)


@pytest.mark.parametrize("name", ["int32", "double", "whatever"])
def test_other_formats_are_ignored(name):
    assert not formats.is_known(name)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1e6, "1e+06"), (123456.0, "123456"), (0.5, "0.5"), (-2.5e-7, "-2.5e-07"), (7, "7"), (0.0, "0")],
)
def test_numbers_as_go_writes_them(number, text):
    assert go_number(number) == text


def test_whole_floats_are_stored_as_integers():
    tree = {"a": 1.0, "b": [2.5, {"c": 3.0}], "d": 2**63, "e": True}
    assert (
        json.dumps(node.normal_numbers(tree)) == '{"a": 1, "b": [2.5, {"c": 3}], "d": 9.223372036854776e+18, "e": true}'
    )


def test_defaults_are_not_shared():
    schema = {"type": "object", "properties": {"a": {"type": "object", "default": {"b": []}, "x": 1}}}
    compiled = node.compiled(schema)
    one, two = {}, {}
    defaulting.default(one, compiled)
    defaulting.default(two, compiled)
    one["a"]["b"] = 1
    assert two == {"a": {"b": []}}


@pytest.mark.parametrize("case", RULES, ids=range(len(RULES)))
def test_rules_as_upstream_answers(case):
    compiled = node.compiled(case["schema"])
    tree, before = copied(case["object"]), case.get("before")
    pruning.pruned(tree, compiled)
    was = Correlation(tree, before, compiled) if before is not None else None
    found = rules.check(rules.compiled(case["schema"], is_root=True), tree, before, was)
    assert sorted({str(problem) for problem in found}) == case["answer"]


def ruled(rule, value, old=None):
    schema = {"type": "object", "x-kubernetes-validations": [rule], "properties": {"a": {"type": "integer"}}}
    return [str(p) for p in rules.check(rules.compiled(schema, is_root=False), value, old, None, prefix="spec")]


def test_a_rule_says_why_in_its_own_words():
    assert ruled({"rule": "self.a > 3"}, {"a": 1}) == ['spec: Invalid value: "object": failed rule: self.a > 3']
    assert ruled({"rule": "self.a > 3", "message": "too small"}, {"a": 1}) == [
        'spec: Invalid value: "object": too small'
    ]
    said = {"rule": "self.a > 3", "messageExpression": "'only ' + string(self.a)", "fieldPath": ".a"}
    assert ruled({**said, "reason": "FieldValueForbidden"}, {"a": 1}) == ["spec.a: Forbidden: only 1"]


def test_a_transition_rule_needs_something_to_compare_with():
    assert ruled({"rule": "self.a >= oldSelf.a"}, {"a": 1}) == []
    assert ruled({"rule": "self.a >= oldSelf.a"}, {"a": 1}, {"a": 2}) != []
    born = {"rule": "oldSelf.hasValue() || self.a == 1", "optionalOldSelf": True}
    assert ruled(born, {"a": 2}) != []
    assert ruled(born, {"a": 2}, {"a": 1}) == []


def test_rules_that_cost_too_much_end_the_checking():
    schema = {
        "type": "object",
        "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
        "x-kubernetes-validations": [{"rule": "self.l.all(x, self.l.all(y, x + y >= 0))"}, {"rule": "false"}],
    }
    found = rules.check(rules.compiled(schema, is_root=False), {"l": list(range(2000))}, None, None)
    assert len(found) == 1
    assert "no further validation rules will be run due to call cost exceeds limit" in str(found[0])

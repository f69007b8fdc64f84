"""CEL: values, schemas as types, names that need escaping, and limits nothing gets past."""

import pytest

from apiserver.cel import ENVIRONMENT, Budget, BudgetExceeded, CompileError, EvaluationError, compile
from apiserver.cel.kubernetes import AUTHORIZER
from apiserver.cel.libraries.authorizer import Authorizer, Decision
from apiserver.cel.schemas import escape, typed
from apiserver.cel.types import BOOL, DYN, INT, STRING, Property, object_type

SCHEMA = {
    "type": "object",
    "properties": {
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
        "wait": {"type": "string", "format": "duration"},
        "blob": {"type": "string", "format": "byte"},
        "port": {"x-kubernetes-int-or-string": True},
        "if": {"type": "string"},
        "a-b": {"type": "string"},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "rows": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}},
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "anything": {"x-kubernetes-preserve-unknown-fields": True},
    },
}
OBJECT = {
    "count": 3,
    "ratio": 2,
    "when": "2024-05-06T07:08:09Z",
    "wait": "90s",
    "blob": "aGk=",
    "port": "http",
    "if": "yes",
    "a-b": "dash",
    "tags": ["x", "y"],
    "rows": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
    "labels": {"app": "web"},
}


def evaluate(expression, **variables):
    environment = ENVIRONMENT.with_variables(dict.fromkeys(variables, DYN))
    return compile(expression, environment).evaluate(variables)


def of_schema(expression, self=OBJECT, schema=SCHEMA, **more):
    known = typed(schema, **more)
    program = compile(expression, ENVIRONMENT.with_variables({"self": known.type}), BOOL)
    return program.evaluate({"self": known.value(self)})


@pytest.mark.parametrize(
    "expression",
    [
        "self.count == 3",
        "self.ratio == 2.0 && type(self.ratio) == double",
        "self.when.getFullYear() == 2024",
        "self.wait == duration('1m30s')",
        "self.blob == b'hi'",
        "self.port == 'http' && type(self.port) == string",
        "self.__if__ == 'yes'",
        "self.a__dash__b == 'dash'",
        "self.tags == ['y', 'x']",
        "self.tags + ['x', 'z'] == ['x', 'y', 'z']",
        "self.rows.map(r, r.k) == ['a', 'b']",
        "self.labels.all(k, self.labels[k] == 'web')",
        "!has(self.labels.other) && has(self.labels.app)",
    ],
)
def test_a_schema_gives_types_and_values(expression):
    assert of_schema(expression) is True


def test_keyed_lists_merge_by_key():
    assert of_schema("(self.rows + [self.rows[1]]).size() == 2")


def test_what_has_no_schema_is_not_accessible():
    with pytest.raises(CompileError, match="undefined field 'anything'"):
        of_schema("self.anything == 1")


def test_a_resource_always_has_its_names():
    root = {"type": "object", "properties": {"spec": {"type": "object"}}}
    tree = {"metadata": {"name": "web"}, "kind": "Web", "apiVersion": "v1"}
    assert of_schema("self.metadata.name == 'web' && self.kind == 'Web'", tree, root, root=True)
    with pytest.raises(CompileError, match="undefined field 'labels'"):
        of_schema("has(self.metadata.labels)", tree, root, root=True)


def test_a_plain_tree_is_its_own_value():
    known = typed({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}})
    tree = {"a": ["x"]}
    assert known.value(tree) is tree


@pytest.mark.parametrize(
    ("name", "escaped"),
    [("a", "a"), ("if", "__if__"), ("a.b", "a__dot__b"), ("a__b", "a__underscores__b"), ("1a", None), ("a b", None)],
)
def test_names_are_escaped(name, escaped):
    assert escape(name) == escaped


@pytest.mark.parametrize("text", ["::1%a", "::1%a%b", "fe80::1%a/b", "::ffff:1.2.3.4%a"])
def test_an_address_has_no_zone(text):
    assert evaluate("isIP(x)", x=text) is False
    with pytest.raises(EvaluationError, match=f'IP address "{text}" with zone value is not allowed'):
        evaluate("ip(x)", x=text)


def test_the_result_must_have_the_type_asked_for():
    with pytest.raises(CompileError, match=r"^must evaluate to bool but got int$"):
        compile("1 + 1", ENVIRONMENT, BOOL)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("l.all(a, l.all(b, l.all(c, a + b + c >= 0)))", id="nested loops"),
        pytest.param("l.map(a, l + l).size() > 0", id="copies of lists"),
        pytest.param("l.all(a, [l, l, l, l] == [l, l, l, l])", id="deep comparisons"),
        pytest.param("s" + ".replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 8 + ".size() > 0", id="growing strings"),
        pytest.param("l.map(a, '%s%s%s'.format([l, l, l])).size() > 0", id="formatted lists"),
    ],
)
def test_no_expression_runs_on(expression):
    with pytest.raises(BudgetExceeded):
        evaluate(expression, l=list(range(1000)), s="a" * 100)


def test_no_pattern_runs_on():
    assert evaluate("s.matches('^(a+)+$')", s="a" * 5000 + "b") is False


def test_a_shared_budget_runs_out_in_upstreams_words():
    budget = Budget(left=3)
    program = compile("x + x + x", ENVIRONMENT.with_variables({"x": INT}))
    with pytest.raises(BudgetExceeded, match="validation failed due to running out of cost budget, no further"):
        program.evaluate({"x": 1}, budget)


def test_nothing_nests_without_end():
    for text in ("(" * 500 + "1" + ")" * 500, "[" * 500 + "]" * 500, "1" + " + 1" * 5000, "x" + ".a" * 5000):
        with pytest.raises(CompileError, match="expression recursion limit exceeded"):
            compile(text, ENVIRONMENT.with_variables({"x": DYN}))


def test_long_logic_is_no_deeper_than_its_logarithm():
    assert evaluate(" && ".join(["x > 0"] * 2000), x=1) is True


def test_an_object_literal_is_a_tree_of_the_fields_named():
    shape = object_type("Object", {"a__dash__b": Property("a-b", STRING)})
    environment = ENVIRONMENT.with_types({"Object": shape})
    assert compile("Object{a__dash__b: 'x'}", environment).evaluate({}) == {"a-b": "x"}
    with pytest.raises(
        CompileError, match="expected type of field 'a__dash__b' is 'string' but provided type is 'int'"
    ):
        compile("Object{a__dash__b: 1}", environment)


def test_the_authorizer_is_asked_what_the_expression_says():
    asked = []

    def ask(question):
        asked.append(question)
        return Decision(question.verb == "get", "because")

    text = (
        "authorizer.serviceAccount('ns', 'sa').group('apps').resource('deployments').subresource('scale')"
        ".namespace('ns').name('web').check('get').allowed()"
    )
    program = compile(text, ENVIRONMENT.with_variables({"authorizer": AUTHORIZER}), BOOL)
    assert program.evaluate({"authorizer": Authorizer(ask)}) is True
    (question,) = asked
    assert (question.group, question.resource, question.subresource) == ("apps", "deployments", "scale")
    assert (question.namespace, question.name, question.service_account) == ("ns", "web", ("ns", "sa"))


def test_numbers_are_equal_over_types_but_no_bool_is_a_number():
    assert evaluate("x == 1.0 && x != true && [x] == [1.0]", x=1) is True


def test_what_is_not_there_is_an_error():
    with pytest.raises(EvaluationError, match="no such key: b"):
        evaluate("x.b", x={"a": 1})

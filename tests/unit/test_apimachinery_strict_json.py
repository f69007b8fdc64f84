"""Reading JSON and YAML: the messages were printed by Go's encoding/json and sigs.k8s.io/yaml."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import strict_json, trees
from apimachinery.errors import ApiError
from apimachinery.json_syntax import complaint
from apimachinery.yaml_loader import YamlError, load_first

MARKS = "ab1.~:{}[],#-?&*!|>%@`'\" \\é𐀀"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(MARKS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(MARKS, max_size=4), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('"abc', "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1', "invalid character '1' after object key"),
        ('{"a":1 "b"', "invalid character '\"' after object key:value pair"),
        ("[1 2", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("1 2", "invalid character '2' after top-level value"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        (r'"\u12x4"', "invalid character 'x' in \\u hexadecimal character escape"),
        ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ("tru", "invalid character ' ' in literal true (expecting 'e')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+", "invalid character ' ' in exponent of numeric literal"),
        ("'a'", r"invalid character '\'' looking for beginning of value"),
        ("\x01", r"invalid character '\x01' looking for beginning of value"),
        ("01", "invalid character '1' after top-level value"),
    ],
)
def test_broken_json_in_gos_words(text, message):
    assert complaint(text.encode()) == message
    with pytest.raises(ApiError) as caught:
        strict_json.decode_json(text.encode(), expected="Pod")
    assert caught.value.code == 400
    assert f"(must be of type Pod): couldn't get version/kind; json parse error: {message} (" in caught.value.message


@pytest.mark.parametrize("text", ['{"a":[1,-0.5e3,true,false,null,"\\u00e9\\n"],"b":{}}', "[]", " [ { } , [ ] ] "])
def test_nothing_to_complain_about(text):
    assert complaint(text.encode()) == ""


def test_what_only_we_refuse():
    with pytest.raises(ApiError, match="error decoding patch: "):
        strict_json.decode_json(b'"\\ud800"')
    with pytest.raises(ApiError, match="error decoding patch: "):
        strict_json.decode_json(b'"\xff"')


@pytest.mark.parametrize("depth", [trees.MAX_DEPTH + 1, 100_000])
def test_depth_is_bounded(depth):
    with pytest.raises(ApiError, match="exceeded max depth"):
        strict_json.decode_json(b"[" * depth + b"]" * depth)
    with pytest.raises(ApiError, match="exceeded max depth"):
        strict_json.decode(b"[" * depth + b"]" * depth, is_yaml=True)


def test_depth_within_the_bound():
    depth = trees.MAX_DEPTH
    tree, _ = strict_json.decode_json(b'{"a":' * depth + b"1" + b"}" * depth)
    assert tree
    wide = json.dumps([{"a": 1}] * 1000).encode()
    assert len(strict_json.decode_json(wide)[0]) == 1000


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('{"a":1,"b":{"a":2}}', []),
        ('{"a":1,"a":2}', ['duplicate field "a"']),
        ('{"a":1,"a":2,"a":3}', ['duplicate field "a"']),
        ('{"spec":{"c":[{"x":1},{"x":1,"x":2}]}}', ['duplicate field "spec.c[1].x"']),
        ('{"a":1,"\\u0061":2}', ['duplicate field "a"']),
        ('{"a" :1,"a" :2,"b":1}', ['duplicate field "a"']),
        ('{"a":"{\\"b\\":1}","c":2}', []),
    ],
)
def test_duplicate_fields(text, problems):
    assert strict_json.decode(text.encode(), duplicates=True)[1] == problems
    assert strict_json.decode(text.encode()) == (json.loads(text), [])


@given(JSON, st.sampled_from([None, 1]))
def test_honest_json_has_no_duplicates(tree, indent):
    assert strict_json.decode_json(json.dumps(tree, indent=indent).encode(), duplicates=True) == (tree, [])


@given(st.dictionaries(st.sampled_from(["a", 'b"', "c:"]), JSON, min_size=1))
def test_a_doubled_key_is_always_found(tree):
    body = json.dumps(tree)
    doubled = f"{body[:-1]},{body[1:]}".encode()
    tree, problems = strict_json.decode_json(doubled, duplicates=True)
    assert len(problems) >= len(tree)


@pytest.mark.parametrize(
    ("data", "shown"),
    [(b"", "<empty>"), (b"{abc", "{abc"), (b"{" + b"x" * 40, "{" + "x" * 29 + " ..."), (b"ab", "6162")],
)
def test_summary_of_a_body(data, shown):
    assert strict_json.summary(data) == shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("y", True),
        ("Off", False),
        ("tRUE", "tRUE"),
        ("017", 15),
        ("-017", -15),
        ("0o17", 15),
        ("0x1f", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("08", 8),
        ("1.0", 1),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ("!!str 5", "5"),
        ("!!binary aGk=", "hi"),
        ("!mine 5", "5"),
        ("!mine [1]", [1]),
        ("!mine {a: 1}", {"a": 1}),
        ("{1: a, true: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
        ("{a: &x {b: 1}, c: {<<: *x, b: 2}}", {"a": {"b": 1}, "c": {"b": 2}}),
    ],
)
def test_yaml_as_kubernetes_reads_it(text, value):
    assert load_first(text.encode())[0] == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
        ("x: 1\na: b: c", "yaml: line 2: mapping values are not allowed in this context"),
        ("a:\n\tb: 1", "yaml: line 2: found character that cannot start any token"),
        ("a: 1\nb: [1, 2\nc: }", "yaml: line 2: did not find expected ',' or ']'"),
        ("a: [1, 2", "yaml: line 1: did not find expected ',' or ']'"),
        ("a: .nan", "json: unsupported value: NaN"),
        ("a: -.inf", "json: unsupported value: -Inf"),
        ("a: .inf", "json: unsupported value: +Inf"),
        ("[a]: 1", "yaml: invalid map key"),
        ("a: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
        ("a: !!float x", "yaml: cannot decode !!str `x` as a !!float"),
        ("a: !!binary '*'", "yaml: !!binary value contains invalid base64 data"),
        ("a: !!map 1", "yaml: cannot decode as a map"),
        ("a: !!seq 1", "yaml: cannot decode as a list"),
        ("a: *x", "yaml: found undefined alias"),
        ("[" * 201 + "a: *x", "yaml: exceeded max depth"),
        ("[],\n" * 201, "yaml: did not find expected <document start>"),
        ("a: \x01", "yaml: control characters are not allowed"),
    ],
)
def test_broken_yaml(text, message):
    with pytest.raises(YamlError) as caught:
        load_first(text.encode())
    assert str(caught.value) == message


def test_yaml_bombs_are_refused_and_shared_parts_are_not_shared():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
    )
    with pytest.raises(ApiError, match="excessive aliasing"):
        strict_json.decode(bomb.encode(), is_yaml=True)
    tree, _ = load_first(b"{a: &x {b: 1}, c: *x}")
    assert tree["a"] is not tree["c"]
    assert list(strict_json.documents("{a: &x {b: 1}, c: *x}")) == [tree]


def test_yaml_bodies():
    body = b"a: 1\nb:\n  c: 1\n  c: 2\n"
    problem = 'yaml: unmarshal errors:\n  line 4: key "c" already set in map'
    assert strict_json.decode(body, is_yaml=True, duplicates=True) == ({"a": 1, "b": {"c": 2}}, [problem])
    assert strict_json.decode(body, is_yaml=True)[1] == []
    assert strict_json.decode(b"", is_yaml=True) == (None, [])
    with pytest.raises(ApiError, match="must be of type Pod"):
        strict_json.decode(b"a: b: c", is_yaml=True, expected="Pod")
    with pytest.raises(ApiError, match="exceeded max depth"):
        strict_json.decode(b"{a: " * 300 + b"}" * 300, is_yaml=True)


def test_streams_of_documents():
    assert list(strict_json.documents("---\na: 1\n---\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]


@given(JSON)
def test_yaml_reads_json(tree):
    assert load_first(json.dumps(tree, ensure_ascii=False).encode())[0] == tree


def test_problems_follow_one_another_as_in_the_body():
    body = b'{"spec":{"new":1,"a":1,"a":2,"items":[{"odd":1}]},"b":1,"b":2}'
    unknown = ['unknown field "spec.items[0].odd"', 'unknown field "spec.new"']
    doubled = ['duplicate field "b"', 'duplicate field "spec.a"']
    assert strict_json.in_order(body, [*doubled, *unknown]) == [unknown[1], doubled[1], unknown[0], doubled[0]]
    assert strict_json.in_order(b"no: json", doubled) == doubled

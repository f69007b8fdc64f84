"""Our protobuf beside upstream's: every kind with random contents, byte for byte, in both directions."""

import base64

import msgspec
import pytest

from apiserver import protobuf
from apiserver.protobuf import table
from tests.contract import go_tool

pytestmark = pytest.mark.timeout(600)  # the first build of a machine fetches and compiles upstream's libraries


def test_the_table_is_that_of_upstreams_types(go_program):
    facts = table._facts()
    alpha = {kind: message for kind, message in facts["kinds"].items() if "/v1alpha1/" in kind}
    kinds = {kind: message for kind, message in facts["kinds"].items() if kind not in alpha}
    assert msgspec.json.decode(go_tool.run(go_program, "table")) == {**facts, "kinds": kinds}
    assert alpha == {kind: kinds[kind.replace("/v1alpha1/", "/v1beta1/")] for kind in alpha}  # they are the same


@pytest.mark.parametrize("seed", [1, 20])
def test_bytes_are_upstreams(go_program, seed):
    pairs = go_tool.golden(go_program, seed)
    assert len(pairs) > 800
    for wire, text in pairs:
        tree = msgspec.json.decode(text)
        assert base64.b64encode(protobuf.encode(tree)) == wire, tree


@pytest.mark.parametrize("seed", [1, 20])
def test_trees_are_upstreams(go_program, seed):
    for wire, text in go_tool.golden(go_program, seed):
        assert protobuf.decode(base64.b64decode(wire)) == msgspec.json.decode(text)


@pytest.mark.parametrize("seed", [1, 20])
def test_shapes_are_upstreams(go_program, seed):
    for _, text in go_tool.golden(go_program, seed):
        tree = msgspec.json.decode(text)
        assert protobuf.shaped(tree) == tree
        assert protobuf.shaped(without_nulls(tree)) == tree


def without_nulls(value, name=""):
    if isinstance(value, dict):
        kept = name == "disruptedPods"  # the one map whose values may be null
        return {key: without_nulls(item, key) for key, item in value.items() if kept or item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value

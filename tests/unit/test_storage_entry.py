"""The wire's bytes: where the resourceVersion is spliced in, and where it must not be."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.storage import entry as e

POD = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"ns","labels":{"app":"x"}},"spec":{}}'


def decoded(entry):
    return msgspec.json.decode(entry.value)


@pytest.mark.parametrize(
    ("stored", "wire"),
    [
        pytest.param(
            b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}',
            b'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"}}',
            id="ours",
        ),
        pytest.param(
            b'{"apiVersion":"x.io/v1","kind":"A","metadata":{"name":"a"},"z":"\\n"}\n',
            b'{"apiVersion":"x.io/v1","kind":"A","metadata":{"resourceVersion":"7","name":"a"},"z":"\\n"}',
            id="upstream's order for custom resources, and its newline",
        ),
        pytest.param(
            b'{"kind":"Pod","apiVersion":"v1","metadata":{}}',
            b'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7"}}',
            id="empty metadata takes no comma",
        ),
        pytest.param(
            b'{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"},"involvedObject":{"resourceVersion":"3"}}',
            b'{"kind":"Event","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"},'
            b'"involvedObject":{"resourceVersion":"3"}}',
            id="another object's resourceVersion stays",
        ),
    ],
)
def test_the_revision_is_spliced_without_decoding(stored, wire):
    assert e.with_revision(stored, 7) == wire
    assert e.entry("/k", stored, 7).value == wire


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b'{"kind":"A","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"3"}}', id="has one"),
        pytest.param(b'{"kind":"A","apiVersion":"v1","metadata":{"name":"a","resourceVersion":""}}', id="has none"),
        pytest.param(b'{ "kind":"A","apiVersion":"v1","metadata":{"name":"a"}}', id="space"),
        pytest.param(b'{"kind":"A","apiVersion":"v1",\n"metadata":{"name":"a"}}', id="line in the head"),
        pytest.param(b'{"kind":"A","apiVersion":"v1","metadata":{"name":"a"},\n"spec":{}}', id="line in the body"),
        pytest.param(b'{"kind":"A","apiVersion":"v1","spec":{"metadata":{}},"metadata":{"name":"a"}}', id="not first"),
        pytest.param(b'{"spec":{"metadata":{}},"kind":"A","apiVersion":"v1","metadata":{"name":"a"}}', id="not at all"),
        pytest.param(b'{"kind":"A","kind":"A","apiVersion":"v1","metadata":{"name":"a"}}', id="double"),
        pytest.param(
            b'{"kind":"A","apiVersion":"v1","metadata":{"name":"a"}}\n', id="upstream's, with fewer fields maybe"
        ),
    ],
)
def test_what_cannot_be_spliced_safely_is_encoded_again(stored):
    assert e.with_revision(stored, 7) == b""
    entry = e.entry("/k", stored, 7)
    assert entry.value.startswith(b'{"kind":"A","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"}')
    assert b"\n" not in entry.value
    without = msgspec.json.decode(stored)
    without["metadata"]["resourceVersion"] = "7"
    assert decoded(entry) == without
    assert decoded(entry.at(9))["metadata"] == {"name": "a", "resourceVersion": "9"}


JSON_TEXT = st.text(max_size=5) | st.sampled_from(['"resourceVersion":', '"metadata":{', "\n", "\\"])
TREES = st.fixed_dictionaries(
    {
        "kind": JSON_TEXT,
        "apiVersion": JSON_TEXT,
        "metadata": st.dictionaries(JSON_TEXT | st.just("labels"), st.none() | JSON_TEXT, max_size=2),
    },
    optional={"spec": st.dictionaries(JSON_TEXT | st.just("metadata"), JSON_TEXT), "data": JSON_TEXT},
)


@given(TREES, st.integers(1, 2**63), st.integers(0, 2), st.permutations(["kind", "apiVersion", "metadata"]))
def test_wire_is_the_stored_object_with_its_revision(tree, revision, indent, order):
    tree = {name: tree[name] for name in order} | tree
    text = msgspec.json.encode(tree)
    entry = e.entry("/k", msgspec.json.format(text, indent=indent) if indent else text, revision)
    expected = tree | {"metadata": tree["metadata"] | {"resourceVersion": str(revision)}}
    assert decoded(entry) == expected == entry.tree
    assert decoded(entry.at(1)) == expected | {"metadata": tree["metadata"] | {"resourceVersion": "1"}}


def test_an_entry_knows_its_labels_name_and_namespace():
    entry = e.entry("/registry/pods/ns/a", POD, 7)
    assert (entry.labels, entry.namespace, entry.name) == ({"app": "x"}, "ns", "a")
    bare = e.entry("/registry/minions/n", b'{"kind":"Node","apiVersion":"v1","metadata":{"name":"n"}}', 7)
    assert (bare.labels, bare.namespace, bare.name) == ({}, "", "n")


@pytest.mark.parametrize(
    "value", [b"", b"no json", b"[]", b'{"kind":"A"}', b'{"kind":"A","apiVersion":"v1","metadata":1}']
)
def test_what_is_no_object_says_so_when_used(value):
    entry = e.entry("/registry/x", value, 7)
    for use in (lambda: entry.value, lambda: entry.tree, lambda: entry.labels, lambda: entry.at(8)):
        with pytest.raises(e.Undecodable, match="/registry/x"):
            use()


def test_protobuf_is_decoded_by_the_hook_on_first_use():
    seen = []

    def decode(value):
        seen.append(value)
        return {"spec": {}, "kind": "A", "apiVersion": "v1", "metadata": {"name": "a"}}

    entry = e.entry("/registry/x", b"k8s\0...", 7, decode)
    assert not seen
    expected = b'{"kind":"A","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"},"spec":{}}'
    assert entry.value == entry.value == expected
    assert seen == [b"k8s\0..."]
    with pytest.raises(e.Undecodable, match="protobuf"):
        _ = e.entry("/registry/x", b"k8s\0...", 7).value


def test_trees_are_kept_but_not_too_many(monkeypatch):
    monkeypatch.setattr(e, "TREE_BYTES", 3 * len(POD))
    trees = e._Trees()
    entries = [e.entry(f"/k{i}", POD, 7) for i in range(4)]
    first = trees.of(entries[0])
    assert trees.of(entries[0]) is first
    kept = [trees.of(entry) for entry in entries[1:]]
    assert trees.of(entries[0]) is not first
    assert trees.of(entries[3]) is kept[2]


def test_a_delete_shows_the_old_object_at_the_deletes_revision():
    event = e.CacheEvent(9, None, e.entry("/k", POD, 7))
    assert decoded(event.gone)["metadata"]["resourceVersion"] == "9"
    assert event.gone is event.gone
    assert event.key == "/k"


def test_what_is_made_is_made_once():
    made = []
    entry = e.entry("/k", POD, 7)
    for thing in (entry, e.CacheEvent(7, entry, None)):
        for _ in range(2):
            assert thing.made("form", lambda it: made.append(it) or len(made)) == len(made)
    assert len(made) == 2

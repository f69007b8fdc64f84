"""Sorted folders, against a plain dict."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.storage import label_index
from apiserver.storage.entry import Entry, Undecodable
from apiserver.storage.index import Index

KEYS = st.lists(st.sampled_from(["a", "a-b", "b", "é", "z"]), min_size=1, max_size=3).map(lambda p: "/r/" + "/".join(p))
PREFIXES = ("/r/", "/r/a/", "/r/a-b/", "/r/a/b/", "/r/nothing/", "/r/a", "/r/z/z/z")


LABELLED = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))


@given(st.lists(st.tuples(KEYS, LABELLED, st.booleans()), max_size=40), st.integers(0, 3), st.sampled_from([0, 1000]))
def test_a_list_by_label_is_that_of_a_scan(steps, asked_every, most_changes):
    index, put = Index(), {}
    with pytest.MonkeyPatch.context() as limits:
        limits.setattr(label_index, "MOST_CHANGES", most_changes)
        for i, (key, labels, stays) in enumerate(steps):
            if stays:
                put[key] = labels
                value = msgspec.json.encode({"metadata": {"labels": labels}})
                index.put(index.folder(key), Entry(key, i, value, len(value)))
            elif put.pop(key, None) is not None:
                index.remove(index.folder(key), key)
            for prefix in PREFIXES if asked_every and i % asked_every == 0 else ():
                if prefix[-1] == "/":
                    for name, values in (("a", ("x",)), ("a", ("x", "y")), ("b", ("y", "z"))):
                        scanned = [e for e in index.list(prefix) if e.labels.get(name) in values]
                        assert list(index.with_label(prefix, name, values)) == scanned


def test_labels_that_are_asked_for_no_more_have_no_index():
    entry = Entry("/r/a", 1, b'{"metadata":{"labels":{"l0":"x"}}}', 1)
    index = label_index.LabelIndex({"/r/a": entry})
    for i in range(3 * label_index.MOST_LABELS):
        assert index.with_label(f"l{i}", ["x"]) == ([entry] if i == 0 else [])
    assert len(index._labels) == label_index.MOST_LABELS
    assert index.with_label("l0", ["x"]) == [entry]


def test_what_cannot_be_decoded_is_said_by_every_list_by_label():
    entries = {"/r/a": Entry("/r/a", 1, b'{"metadata":{"labels":{"l":"x"}}}', 1)}
    index = label_index.LabelIndex(entries)
    assert len(index.with_label("l", ["x"])) == 1
    entries["/r/b"] = Entry("/r/b", 2, b"{", 1)
    index.changed("/r/b")
    for _ in range(2):
        with pytest.raises(Undecodable):
            index.with_label("l", ["x"])
    del entries["/r/b"]
    assert len(index.with_label("l", ["x"])) == 1


def test_order_is_that_of_the_keys():
    index = Index()
    for key in ("/r/b/x", "/r/a/z", "/r/a-b/y", "/r/a/a"):
        index.put(index.folder(key), Entry(key, 1, b"", 0))
    assert [i.key for i in index.list("/r/")] == ["/r/a-b/y", "/r/a/a", "/r/a/z", "/r/b/x"]
    assert [i.key for i in index.list("/r/a/")] == ["/r/a/a", "/r/a/z"]


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=40))
def test_lists_are_those_of_a_dict(steps):
    index, model = Index(), {}
    for i, (key, put) in enumerate(steps):
        if put:
            entry = Entry(key, i, b"", i)
            assert index.put(index.folder(key), entry) is model.get(key)
            model[key] = entry
        elif key in model:
            assert index.remove(index.folder(key), key) is model.pop(key)
        for prefix in PREFIXES:
            expected = [
                v for k, v in sorted(model.items()) if (k.startswith(prefix) if prefix[-1] == "/" else k == prefix)
            ]
            assert list(index.list(prefix)) == expected
    assert (index.objects, index.bytes) == (len(model), sum(v.size for v in model.values()))
    assert sorted(index.keys()) == sorted(model)
    assert all(index.get(key) is entry for key, entry in model.items())

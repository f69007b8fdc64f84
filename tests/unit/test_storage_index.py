"""Sorted folders, against a plain dict."""

from hypothesis import given
from hypothesis import strategies as st

from apiserver.storage.entry import Entry
from apiserver.storage.index import Index

KEYS = st.lists(st.sampled_from(["a", "a-b", "b", "é", "z"]), min_size=1, max_size=3).map(lambda p: "/r/" + "/".join(p))
PREFIXES = ("/r/", "/r/a/", "/r/a-b/", "/r/a/b/", "/r/nothing/", "/r/a", "/r/z/z/z")


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

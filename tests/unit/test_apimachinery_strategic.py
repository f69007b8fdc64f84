"""Strategic merge patches and the diffs of apply; expected results were printed by upstream's strategicpatch package."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.patch import strategic_diff, strategic_merge, two_way

POD = "io.k8s.api.core.v1.Pod"
SERVICE = "io.k8s.api.core.v1.Service"
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def pod(*containers, **spec):
    return {"spec": ({"containers": list(containers)} if containers else {}) | spec}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        pytest.param(
            pod({"name": "a", "image": "1"}, {"name": "b"}),
            pod({"name": "a", "image": "2"}),
            pod({"name": "a", "image": "2"}, {"name": "b"}),
            id="lists merge by their key",
        ),
        pytest.param(pod({"name": "a"}), pod({"name": "b"}), pod({"name": "b"}, {"name": "a"}), id="new elements lead"),
        pytest.param(
            pod({"name": "a"}, {"name": "b"}),
            pod({"name": "a", "$patch": "delete"}),
            pod({"name": "b"}),
            id="delete an element",
        ),
        pytest.param(
            pod({"name": "a"}, {"name": "b"}),
            pod({"$patch": "replace"}, {"name": "c"}),
            pod({"name": "c"}),
            id="replace a list",
        ),
        pytest.param(
            pod({"name": "a"}, nodeSelector={"x": "1", "y": "2"}),
            pod(nodeSelector={"$patch": "replace", "z": "3"}),
            pod({"name": "a"}, nodeSelector={"z": "3"}),
            id="replace a map",
        ),
        pytest.param(
            pod(nodeSelector={"x": "1"}),
            pod(nodeSelector={"$patch": "delete"}),
            pod(nodeSelector={}),
            id="delete a map",
        ),
        pytest.param(
            pod(nodeSelector={"x": "1", "y": "2"}),
            pod(nodeSelector={"x": None}),
            pod(nodeSelector={"y": "2"}),
            id="null deletes",
        ),
        pytest.param(
            pod({"name": "a", "command": ["x", "y"]}),
            pod({"name": "a", "command": ["z"]}),
            pod({"name": "a", "command": ["z"]}),
            id="atomic lists are replaced",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["c", "a"]}},
            {"metadata": {"finalizers": ["c", "a", "b"]}},
            id="sets of scalars merge",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
            id="delete from a set of scalars",
        ),
        pytest.param(
            {"metadata": {}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {}},
            id="delete from nothing",
        ),
        pytest.param(
            pod({"name": "a"}, {"name": "s"}, {"name": "b"}),
            pod(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            pod({"name": "s"}, {"name": "b"}, {"name": "a"}),
            id="order: ours as asked for, theirs before what followed",
        ),
        pytest.param(
            {"spec": {}},
            {"spec": {"$setElementOrder/containers": [{"name": "b"}]}},
            {"spec": {}},
            id="order of nothing",
        ),
        pytest.param(
            pod({"name": "a"}),
            pod({"name": "b"}, **{"$setElementOrder/containers": []}),
            pod({"name": "b"}, {"name": "a"}),
            id="an empty order",
        ),
        pytest.param(
            pod({"name": "a"}),
            pod({"name": "b"}, **{"$setElementOrder/containers": None}),
            pod({"name": "b"}, {"name": "a"}),
            id="an order that is null",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a"]}},
            {"metadata": {"$setElementOrder/finalizers": None}},
            {"metadata": {"finalizers": ["a"]}},
            id="an order of texts that is null",
        ),
        pytest.param(
            pod(volumes=[{"name": "v", "emptyDir": {}}]),
            pod(volumes=[{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]),
            pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
            id="retain keys",
        ),
        pytest.param(
            {"metadata": {"labels": "wrong"}},
            {"metadata": {"labels": {"a": "1", "b": None}}},
            {"metadata": {"labels": {"a": "1"}}},
            id="another type replaces",
        ),
        pytest.param({}, {"spec": {"x": {"$patch": "delete"}}}, {"spec": {}}, id="directives never stay"),
        pytest.param({}, {"spec": {"$patch": "delete"}}, {}, id="deleting what is not there"),
        pytest.param({"a": 1}, {"$patch": "replace", "b": 2}, {"b": 2}, id="replace the whole"),
        pytest.param(
            {"x": {"y": 1}}, {"x": {"y": 2, "z": 3}}, {"x": {"y": 2, "z": 3}}, id="unknown fields merge as JSON"
        ),
    ],
)
def test_merge(before, change, after):
    originals = copy.deepcopy((before, change))
    assert strategic_merge(before, change, POD) == after
    assert (before, change) == originals


def test_services_merge_ports_by_number():
    before = {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}}
    change = {"spec": {"ports": [{"port": 80, "nodePort": 30000}]}}
    after = {"spec": {"ports": [{"port": 80, "name": "a", "nodePort": 30000}, {"port": 81, "name": "b"}]}}
    assert strategic_merge(before, change, SERVICE) == after


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (pod({"image": "x"}), 400, "map: map[image:x] does not contain declared merge key: name"),
        (pod({"$patch": "delete"}), 400, "map: map[$patch:delete] does not contain declared merge key: name"),
        (pod({"name": "a", "$patch": "bad"}), 400, "unknown patch type: bad in map: map[$patch:bad name:a]"),
        (pod({"name": "a", "$patch": "merge"}), 400, "merging lists cannot yet be specified in the patch"),
        ({"spec": {"$patch": 5}}, 400, "unknown patch type: %!s(int64=5) in map: map[$patch:5]"),
        (pod("x"), 400, "list element types are not identical: [[map[name:a]] [x]]"),
        (pod(["x"]), 422, "the server rejected our request due to an error in our request"),
        ({"spec": {"$retainKeys": "x"}}, 400, "invalid patch format of retainKeys"),
        ({"spec": {"$retainKeys": ["a"], "nodeName": "x"}}, 400, "invalid patch format of retainKeys"),
        ({"spec": {"$deleteFromPrimitiveList": ["a"]}}, 400, "invalid patch format of primitive list"),
        (
            {"spec": {"$setElementOrder/tolerations": [], "tolerations": [{"key": "b"}]}},
            400,
            "map: map[key:b] does not contain declared merge key: ",
        ),
        ({"spec": {"$setElementOrder": ["a"]}}, 400, "invalid patch format of setElementOrder list"),
        ({"spec": {"$setElementOrder/containers": "a"}}, 400, "expected a []interface {}, but received a string"),
        (pod({"name": "b"}, **{"$setElementOrder/containers": ["b"]}), 400, "expected a map, but received a string"),
        (pod({"name": "b"}, **{"$setElementOrder/containers": [1]}), 400, "expected a map, but received a int64"),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}},
            400,
            "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
        ([], 400, "invalid JSON document"),
        (
            {"metadata": {"finalizers": [{"a": "b"}]}},
            400,
            "cannot merge lists without merge key for struct",
        ),
    ],
)
def test_patches_that_cannot_be(change, code, message):
    with pytest.raises(ApiError) as caught:
        strategic_merge(pod({"name": "a"}) | {"metadata": {"finalizers": []}}, change, POD)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_messages_print_values_as_go_does():
    with pytest.raises(ApiError, match=r"map\[env:\[map\[x:<nil>\]\] stdin:true\]"):
        strategic_merge(pod({"name": "a"}), pod({"env": [{"x": None}], "stdin": True}), POD)


def test_an_element_not_ordered_stays_before_what_followed_it():
    before = pod({"name": "s"}, {"name": "a"}, {"name": "b"})
    change = {
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}],
            "containers": [{"name": "b", "image": "x"}, {"name": "c"}, {"name": "a", "$patch": "delete"}],
        }
    }
    after = pod({"name": "s"}, {"name": "b", "image": "x"}, {"name": "c"})
    assert strategic_merge(before, change, POD) == after


def test_apply_deletes_only_what_was_applied_before():
    original = pod({"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "gone"})
    modified = pod({"name": "a", "image": "2"})
    current = pod(
        {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}], "stdin": True},
        {"name": "gone"},
        {"name": "sidecar"},
    )
    change = strategic_diff(original, modified, current, POD)
    assert change == {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "2", "env": None}, {"name": "gone", "$patch": "delete"}],
        }
    }
    assert strategic_merge(current, change, POD) == pod({"name": "a", "image": "2", "stdin": True}, {"name": "sidecar"})


def test_apply_of_the_same_is_nothing():
    tree = pod({"name": "a", "env": [{"name": "X", "value": "1"}]}, volumes=[{"name": "v", "emptyDir": {}}])
    tree["metadata"] = {"finalizers": ["b", "a"]}
    current = copy.deepcopy(tree) | {"status": {"phase": "Running"}}
    assert strategic_diff(tree, tree, current, POD) == {}


def test_apply_sets_order_and_retained_keys():
    before = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    after = {"spec": {"strategy": {"type": "Recreate"}}}
    assert strategic_diff(before, after, before, DEPLOYMENT) == {
        "spec": {"strategy": {"type": "Recreate", "rollingUpdate": None, "$retainKeys": ["type"]}}
    }
    assert two_way({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "c"]}}, POD) == {
        "metadata": {
            "finalizers": ["c"],
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/finalizers": ["b", "c"],
        }
    }
    assert two_way(pod({"name": "a"}, {"name": "b"}), pod({"name": "b"}, {"name": "a"}), POD) == {
        "spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    }


def test_apply_keeps_the_order_where_nothing_is_deleted():
    change = strategic_diff({}, pod({"name": "b"}, {"name": "a"}), pod({"name": "a"}, {"name": "b"}), POD)
    assert change == {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}


def test_a_volume_of_another_kind_retains_its_keys():
    change = two_way(
        pod(volumes=[{"name": "v", "emptyDir": {}}]), pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]), POD
    )
    assert change["spec"]["volumes"] == [
        {"name": "v", "emptyDir": None, "secret": {"secretName": "s"}, "$retainKeys": ["name", "secret"]}
    ]


def test_apply_refuses_elements_without_a_key():
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic_diff({}, pod({"image": "x"}), pod({"name": "a"}), POD)


VALUES = st.sampled_from(["1", "2"])


def subset(names, build):
    return st.lists(st.sampled_from(names), unique=True, max_size=3).flatmap(
        lambda chosen: st.tuples(*map(build, chosen)).map(list)
    )


def env(name):
    return st.fixed_dictionaries({"name": st.just(name)}, optional={"value": VALUES})


def container(name):
    optional = {"image": VALUES, "env": subset("XYZ", env), "command": st.lists(VALUES, max_size=2)}
    return st.fixed_dictionaries({"name": st.just(name)}, optional=optional)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "containers": subset("abc", container),
        "nodeSelector": st.dictionaries(st.sampled_from("kl"), VALUES, max_size=2),
        "volumes": subset(
            "vw", lambda n: st.sampled_from([{"name": n, "emptyDir": {}}, {"name": n, "secret": {"x": "1"}}])
        ),
    },
)
PODS = st.fixed_dictionaries(
    {"spec": SPECS, "metadata": st.fixed_dictionaries({}, optional={"finalizers": subset("fgh", st.just)})}
)


def settled(tree):
    """Without empty lists and maps, which a merge may leave behind, and the nulls of new elements, which decoding drops."""
    if isinstance(tree, dict):
        # What a new element of a list says of the keys to retain stays there as an unknown field, as upstream.
        kept = {key: settled(value) for key, value in tree.items() if key != "$retainKeys"}
        return {key: value for key, value in kept.items() if value not in ({}, [], None)}
    return [settled(item) for item in tree] if isinstance(tree, list) else tree


@given(PODS, PODS)
def test_a_two_way_diff_leads_from_one_to_the_other(before, after):
    assert settled(strategic_merge(before, two_way(before, after, POD), POD)) == settled(after)


@given(PODS, PODS, PODS)
def test_apply_reaches_what_was_asked_for_and_then_rests(original, modified, current):
    reached = strategic_merge(current, strategic_diff(original, modified, current, POD), POD)
    again = strategic_merge(reached, strategic_diff(modified, modified, reached, POD), POD)
    assert settled(again) == settled(reached)
    for item in modified["spec"].get("containers", ()):
        (found,) = [c for c in reached["spec"]["containers"] if c["name"] == item["name"]]
        assert found.get("image", item.get("image")) == item.get("image") or "image" not in item

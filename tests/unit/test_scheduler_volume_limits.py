"""How many volumes a node takes, as plain data."""

import pytest

from scheduler.placed import placed
from scheduler.volume_limits import NodeVolumeLimits
from tests.unit.scheduler_builders import cluster, node, pod

DRIVER, OTHER = "csi.example.com", "other.example.com"


def claiming(name, *claims, **more):
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return pod(name, volumes=volumes, **more)


def handles(one):
    """Every claim has a volume of its name; those that begin with an x are another driver's."""
    return {name: OTHER if name.startswith("x") else DRIVER for name, _ in one.claims}


def fits(wanted, *, pods=(), limit=1, attached=(), supposing=()):
    state = cluster(node("n"), pods=pods)
    nodes = state.snapshot().supposing(supposing) if supposing else state.snapshot()
    there = {"n": dict.fromkeys(attached, DRIVER)}
    plugin = NodeVolumeLimits(handles(wanted), {"n": {DRIVER: limit}}, there, handles)
    return plugin.fits(state.row(wanted), nodes).tolist() == [True]


ONE = claiming("one", "a", nodeName="n")


@pytest.mark.parametrize(
    ("wanted", "more", "expected"),
    [
        pytest.param(claiming("p", "a"), {}, True, id="an empty node"),
        pytest.param(claiming("p", "a", "b"), {}, False, id="two at once"),
        pytest.param(claiming("p", "a", "b"), {"limit": 2}, True, id="a larger node"),
        pytest.param(claiming("p", "b"), {"pods": [ONE]}, False, id="a full node"),
        pytest.param(claiming("p", "a"), {"pods": [ONE]}, True, id="a volume that is there"),
        pytest.param(claiming("p", "x"), {"pods": [ONE]}, True, id="another driver's"),
        pytest.param(claiming("p", "b"), {"attached": ["c"]}, False, id="attached, and nobody's"),
        pytest.param(claiming("p", "b"), {"attached": ["b"]}, False, id="upstream counts what is attached twice"),
        pytest.param(claiming("p", "b"), {"pods": [ONE], "supposing": [(0, placed(ONE, "n"), -1)]}, True, id="were it gone"),
        pytest.param(claiming("p", "b"), {"supposing": [(0, placed(ONE, "n"), 1)]}, False, id="were it there"),
    ],
)  # fmt: skip
def test_how_many_volumes_a_node_takes(wanted, more, expected):
    assert fits(wanted, **more) == expected

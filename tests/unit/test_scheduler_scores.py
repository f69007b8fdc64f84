"""Scores as plain data: whole points from 0 to 100, as upstream counts them."""

import numpy as np
import pytest

from scheduler.scores import Allocated, BalancedAllocation, ImageLocality, PreferUntainted
from tests.unit.scheduler_builders import cluster, node, pod

MIB = 1024**2


def points(score, state, wanted):
    nodes = state.snapshot()
    return score.score(state.row(wanted), nodes, np.ones(len(nodes), np.bool_)).tolist()


def test_what_is_free_counts_with_a_default_for_pods_that_say_nothing():
    state = cluster(node("a", cpu="1", memory="2000Mi"), pods=[pod("one", nodeName="a")])
    assert points(Allocated(), state, pod("p")) == [80]
    assert points(Allocated(), state, pod("p", cpu="1", memory="600Mi")) == [30]


def test_balance_is_of_what_is_asked_for_and_nothing_for_pods_that_ask_nothing():
    state = cluster(node("a", cpu="4", memory="4Gi"), pods=[pod("one", nodeName="a", cpu="1")])
    assert points(BalancedAllocation(), state, pod("p", cpu="1", memory="1Gi")) == [87]
    assert points(BalancedAllocation(), state, pod("p")) == [0]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("big", [18, 0], id="half of the nodes have it"),
        pytest.param("big:latest", [18, 0], id="latest is meant"),
        pytest.param("localhost:5000/big", [0, 0], id="a port is no tag"),
        pytest.param("small:1", [0, 0], id="small ones do not count"),
    ],
)
def test_images_that_are_there(image, expected):
    images = [("big:latest", 400 * MIB), ("small:1", 10 * MIB)]
    state = cluster(node("a", images=images), node("b"))
    assert points(ImageLocality(), state, pod("p", containers=[{"image": image}])) == expected


def test_an_image_that_is_pulled_counts_from_then_on():
    state = cluster(node("a"), node("b"))
    wanted = pod("p", containers=[{"image": "big:1"}])
    assert points(ImageLocality(), state, wanted) == [0, 0]
    state.set_node("b", node("b", images=[("big:1", 1000 * MIB)]))
    assert points(ImageLocality(), state, wanted) == [0, 48]


def test_soft_taints_cost():
    soft = {"key": "k", "effect": "PreferNoSchedule"}
    state = cluster(node("a", taints=[soft]), node("b", taints=[soft, {**soft, "key": "l"}]), node("c"))
    assert points(PreferUntainted(), state, pod("p")) == [50, 0, 100]
    tolerant = pod("p", tolerations=[{"key": "k", "operator": "Exists"}])
    assert points(PreferUntainted(), state, tolerant) == [100, 0, 100]

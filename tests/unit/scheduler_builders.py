"""Nodes, pods and clusters for tests of the scheduler, as plain data."""

import numpy as np

from apimachinery.objects.base import view
from scheduler.place import DEFAULT, place
from scheduler.preemption import Trial, preempt
from scheduler.state import State
from scheduler.views import Node, Pod


def node(name, *, cpu="4", memory="8Gi", pods="110", labels=None, taints=(), unschedulable=False, images=(), **more):
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **more}
    return view(
        {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"taints": list(taints), "unschedulable": unschedulable},
            "status": {
                "allocatable": allocatable,
                "images": [{"names": [image], "sizeBytes": size} for image, size in images],
            },
        },
        Node,
    )


def pod(name, *, cpu=None, memory=None, labels=None, namespace="d", status=None, deleted=None, **spec):
    asked = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    containers = spec.pop("containers", [{"resources": {"requests": asked}}])
    meta = {"name": name, "namespace": namespace, "uid": name, "labels": labels or {}, "deletionTimestamp": deleted}
    tree = {"metadata": meta, "spec": {"containers": containers, **spec}, "status": status or {}}
    return view(tree, Pod)


def near(key, *, who=None, kind="podAffinity", **more):
    """Required affinity to pods with these labels (or another selector) in the same domain of `key`."""
    selector = {"matchLabels": who} if who is not None else {}
    term = {"topologyKey": key, "labelSelector": selector, **more}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def apart(key, **more):
    return near(key, kind="podAntiAffinity", **more)


def preferring(key, weight, *, kind="podAffinity", who=None):
    term = {"topologyKey": key, "labelSelector": {"matchLabels": who or {}}}
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": term}]}}


def cluster(*nodes, pods=()):
    state = State()
    for one in nodes:
        state.set_node(one.metadata.name, one)
    for one in pods:
        state.set_pod(one.metadata.uid, one)
    return state


def trial(state, wanted, *, profile=DEFAULT):
    return Trial(profile.with_volumes(()), state.row(wanted), state.snapshot(), state.expected(wanted))


def decide(state, wanted, *, profile=DEFAULT):
    tried = trial(state, wanted, profile=profile)
    return place(
        tried.filters,
        profile.scores,
        tried.pod,
        tried.nodes,
        np.arange(len(tried.nodes)),
        expected=tried.expected,
        nominated=wanted.status.nominated_node_name,
    )


def make_room(state, wanted, *, budgets=(), start=0):
    """What preemption says for a pod that fits nowhere."""
    decision = decide(state, wanted)
    assert decision.node is None
    return preempt(trial(state, wanted), np.flatnonzero(decision.hopeful), state.on, budgets, start)

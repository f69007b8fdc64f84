"""Builders of pods, containers and worlds for the kubelet's tests."""

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.world import SANDBOX_LABEL, World
from kubelet.runtime.protocol import Container, PodRef

REF = PodRef("default", "web", "uid-1")
NOW = 1_000_000.0


def pod(*names, inits=(), sidecars=(), policy="Always", deleting=None, phase="", status=None, **spec):
    first = [{"name": n, "image": "i"} for n in inits]
    first += [{"name": n, "image": "i", "restartPolicy": "Always"} for n in sidecars]
    meta = {"name": "web", "namespace": "default", "uid": "uid-1"}
    if deleting is not None:
        meta |= {"deletionTimestamp": "2024-01-01T00:00:00Z", "deletionGracePeriodSeconds": deleting}
    tree = {
        "metadata": meta,
        "spec": {
            "containers": [{"name": n, "image": "i"} for n in names or ("main",)],
            "initContainers": first,
            "restartPolicy": policy,
            "terminationGracePeriodSeconds": 30,
            **spec,
        },
        "status": status or {"phase": phase},
    }
    return view(tree, Pod)


def box(state="running", attempt=0, id="box"):
    return Container(id=id, pod=REF, name="", attempt=attempt, state=state, created_at=NOW)


def life(name="main", state="running", code=0, attempt=0, ended=NOW - 1, sandbox="box", **more):
    return Container(
        id=f"{name}-{attempt}",
        pod=REF,
        name=name,
        attempt=attempt,
        state=state,
        exit_code=code,
        started_at=NOW - 10,
        finished_at=ended if state == "exited" else 0,
        labels={SANDBOX_LABEL: sandbox, **more},
    )


def world(pod, *containers, **more):
    return World(**{"pod": pod, "now": NOW, "containers": containers, "address": "10.0.0.2", "started_at": NOW} | more)

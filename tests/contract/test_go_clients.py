"""Real Go programs against our server: client-go in protobuf alone, where it speaks it, and controller-runtime."""

import os
import subprocess

import pytest

from tests.contract.https_server import https_server

pytestmark = pytest.mark.timeout(600)  # the first build of a machine fetches and compiles upstream's libraries
STEPS = ("typed", "watch", "informers", "election", "metadata", "dynamic", "discovery", "errors")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with https_server(tmp_path_factory.mktemp("go")) as server:
        yield server


@pytest.mark.parametrize("step", STEPS)
def test_client_go(go_program, server, step):
    assert f"{step}: ok" in run(go_program, "clients", server.kubeconfig, step)


def run(*command, env=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_informers_list_by_a_watch(go_program, server):
    """WatchListClient: the first list is a stream of events that a bookmark ends."""
    environment = {**os.environ, "KUBE_FEATURE_WatchListClient": "true"}
    run(go_program, "clients", server.kubeconfig, "informers", env=environment)


def test_an_operator_of_controller_runtime(go_program, server):
    assert "operator: ok" in run(go_program, "operator", server.kubeconfig)

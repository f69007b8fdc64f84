"""Real Go programs against our server: client-go in protobuf alone, where it speaks it, and controller-runtime."""

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
    done = subprocess.run(
        [go_program, "clients", server.kubeconfig, step], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{step}: ok" in done.stdout

"""Real Go programs against our server: client-go in protobuf alone, where it speaks it, and controller-runtime."""

import os
import ssl
import subprocess

import httpx
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_informers_list_by_a_watch(go_program, server):
    """WatchListClient: the first list is a stream of events that a bookmark ends."""
    lists = [lists_of_config_maps(server)]
    for feature in ("false", "true"):
        environment = {**os.environ, "KUBE_FEATURE_WatchListClient": feature}
        assert "informers: ok" in run(go_program, "clients", server.kubeconfig, "informers", env=environment)
        lists.append(lists_of_config_maps(server))
    before, by_list, by_watch = lists
    assert (by_list - before, by_watch - by_list) == (1, 0)


def lists_of_config_maps(server):
    """How many the server has answered."""
    context = ssl.create_default_context(cafile=server.pki.ca)
    context.load_cert_chain(*server.pki.issue("admin", "system:masters"))
    text = httpx.get(f"https://127.0.0.1:{server.port}/metrics", verify=context, timeout=60).text
    rows = [row for row in text.splitlines() if row.startswith("apiserver_request_total{")]
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if 'resource="configmaps"' in row and 'verb="LIST"' in row)


def test_an_operator_of_controller_runtime(go_program, server):
    assert "operator: ok" in run(go_program, "operator", server.kubeconfig)

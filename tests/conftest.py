"""What tests of every level share: the Docker Engine, started where none runs and stopped after, and one real cluster."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootstrap import docker_engine
from bootstrap.spec import ClusterSpec


@pytest.fixture(scope="session")
def docker_socket(tmp_path_factory):
    """The path of the engine's socket. Tests that need Docker ask for it; they fail where none can be had."""
    spec = ClusterSpec(home=str(tmp_path_factory.mktemp("docker")), name="session")
    spec.save()
    with ThreadPoolExecutor(1) as thread:  # an async fixture may ask: its loop runs in this thread
        thread.submit(asyncio.run, docker_engine.ensure(spec)).result()
        yield Path(spec.docker_endpoint.removeprefix("unix://"))
        thread.submit(asyncio.run, docker_engine.stop_ours(spec)).result()


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    """The program of tests/go: upstream's own libraries and clients."""
    from tests.contract import go_tool  # noqa: PLC0415

    return go_tool.build(tmp_path_factory)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, docker_socket):
    """The cluster that most tests share, with the demo deployed."""
    from tests.e2e.conftest import make, needs_kubectl  # noqa: PLC0415  (only where a real cluster is wanted)

    needs_kubectl()
    one = make("e2e", tmp_path_factory.mktemp("pykube"), 10000, 97)
    try:
        one.up("--demo")
        yield one
    finally:
        one.down(check=False)

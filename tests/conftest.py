"""What tests of every level share: the Docker Engine, started for the session where none runs and stopped after it."""

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

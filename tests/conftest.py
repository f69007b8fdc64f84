"""What tests of every level share: the Docker Engine, started where none runs and stopped after, and one real cluster."""

import asyncio
import contextlib
import fcntl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
import structlog

from bootstrap import docker_engine
from bootstrap.spec import ClusterSpec
from bootstrap.tenants import MACHINE
from tests import needs

# How long an example takes says more of the machine than of the code. And a run of the suite says of a change whether it
# broke something: the same examples each time. `pytest --hypothesis-profile=search` looks for what nobody has seen yet.
_ANY_MACHINE = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("search", derandomize=False, **_ANY_MACHINE)
hypothesis.settings.register_profile("pykube", derandomize=True, database=None, **_ANY_MACHINE)
hypothesis.settings.load_profile("pykube")
# The default shows a traceback with every local value in colour: half a minute of computing for one internal error.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])


@pytest.fixture(scope="session")
def docker_socket():
    """The path of the engine's socket. Tests that need Docker ask for it; they fail where none can be had.

    Several sessions may run at a time (xdist's workers are some): the first starts an engine, the last one stops it.
    """
    spec = ClusterSpec(home=str(Path(tempfile.gettempdir()) / "pykube-tests"), name="docker")
    spec.root.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as thread, (spec.root / "users").open("w") as users:
        with _alone(spec):
            MACHINE.enter(spec)
            thread.submit(
                asyncio.run, docker_engine.ensure(spec)
            ).result()  # an async fixture may ask: its loop is here
            fcntl.flock(users, fcntl.LOCK_SH)
        yield Path(spec.docker_endpoint.removeprefix("unix://"))
        with _alone(spec), contextlib.suppress(BlockingIOError):  # somebody else uses it
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            thread.submit(asyncio.run, docker_engine.stop_ours(spec)).result()
            (spec.root / "cluster.json").unlink()  # from here on it uses nothing
            MACHINE.leave(spec)


@contextlib.contextmanager
def _alone(spec):
    """Nobody else starts or stops the engine meanwhile."""
    with (spec.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, docker_socket):
    """The cluster that most tests share, with the demo deployed."""
    from tests.e2e.conftest import make  # noqa: PLC0415  (only where a real cluster is wanted)

    needs.program("kubectl")
    one = make("e2e", tmp_path_factory.mktemp("pykube"), 10000, 97)
    try:
        one.up("--demo")
        yield one
    finally:
        one.down(check=False)

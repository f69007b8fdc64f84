"""What the contract tests share: a server in this process, and the program with upstream's Go libraries and clients."""

import pytest

from tests.contract import go_tool
from tests.contract.api_server import running


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    """The program of tests/go, built once per run."""
    return go_tool.build(tmp_path_factory)


@pytest.fixture
async def api():
    """An API server on memory, and an administrator's client on it."""
    async with running() as server:
        yield server

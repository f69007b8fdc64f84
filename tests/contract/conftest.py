"""What the contract tests share: a server in this process, and the program with upstream's Go libraries and clients."""

import asyncio

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


@pytest.fixture
async def echo():
    """A port that gives back what it gets."""

    async def serve(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]

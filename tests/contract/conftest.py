"""What the contract tests share: the program with upstream's Go libraries and clients."""

import pytest

from tests.contract import go_tool


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    """The program of tests/go, built once per run."""
    return go_tool.build(tmp_path_factory)

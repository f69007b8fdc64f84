"""The shared cluster of the end-to-end tests, for comparisons of kubectl with pykubectl."""

from pathlib import Path

import pytest

from tests.e2e.conftest import cluster  # noqa: F401  (the fixture)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))

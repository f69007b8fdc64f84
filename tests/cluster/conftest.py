"""Cluster tests run on virtual time."""

from tests.cluster.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(config, item):
    return {"virtual": VirtualLoop}

"""Requests to compare two servers with: what is not about one kind. One file an area."""

from tests.contract.asked_of_kinds import ask
from tests.contract.asked_of_server import bodies, documents, identities, leaving, patches, pods, reading


def everything():
    """All of them, in an order in which each finds what it needs."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "s"}})
    yield from reading.objects()
    yield from reading.lists()
    yield from reading.watches()
    yield from bodies.bodies()
    yield from patches.patches()
    yield from documents.documents()
    yield from documents.paths()
    yield from identities.reviews()
    yield from pods.pods()
    yield from identities.tokens()
    yield from identities.impersonated()
    yield from pods.scales()
    yield from leaving.collections()
    yield from leaving.namespaces()

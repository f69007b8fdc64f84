"""Aggregation: group versions that an APIService hands to an extension server, served as if they were ours.

registration    which APIServices there shall be for what we serve ourselves, and the writes that make it so (pure)
resolving       a Service -> the address where its server is (pure)
availability    whether an APIService's Service can be used at all: the condition, but for asking the server (pure)
remote          one extension server: how it is reached, trusted and told who asks
learning        what a server serves: its discovery and OpenAPI documents
aggregator      the loop that keeps all this up, and the answer to a request for such a group version
"""

from apiserver.aggregation.aggregator import Aggregator

__all__ = ["Aggregator"]

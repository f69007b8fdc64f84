"""All metrics of one server: what it is asked for at /metrics."""

from collections.abc import Callable
from functools import partial

from prometheus_client import REGISTRY

from apiserver.aggregation import Aggregator
from apiserver.aggregation.counts import families as of_aggregation
from apiserver.audit import counts as audit
from apiserver.call import Call
from apiserver.fairness import Fairness
from apiserver.fairness.metrics import families as of_fairness
from apiserver.metrics import admission, allocation, build, credentials, custom, security, stored
from apiserver.metrics.requests import RequestRows, Row
from apiserver.metrics.stages import StageMetrics
from apiserver.options import Options
from apiserver.resources.api import Api
from apiserver.storage.measured import Measured
from apiserver.upkeep import service_ranges
from serving.exposition import Families
from serving.https import HANDSHAKE_ERRORS


class Metrics:
    """What the stages of a request count in, and what is shown."""

    def __init__(self, requests: RequestRows, stages: StageMetrics) -> None:
        self.stages = stages
        self.row: Callable[[Call], Row] = requests.row
        self.families = Families(REGISTRY)
        self.families.add(*requests.families(), *stages.families())


def metrics_of(api: Api, options: Options, fairness: Fairness, aggregator: Aggregator) -> Metrics:
    """All of one server's."""
    metrics = Metrics(RequestRows(api.registry), StageMetrics(audit=audit.SECONDS, queue=fairness.queue_seconds))
    first, last = options.node_port_range
    ranges = partial(service_ranges, api, options)
    for families in (
        build.families(options.features),
        stored.of_cache(api.cache, api.registry),
        stored.of_reads(api.reads),
        of_fairness(fairness),
        allocation.families(api.cache, api.lookup, ranges, range(first, last + 1)),
        of_aggregation(aggregator.availability, aggregator.discovery),
        *(module.FAMILIES for module in (admission, audit, credentials, custom, security)),
    ):
        metrics.families.add(*families)
    metrics.families.add(HANDSHAKE_ERRORS)
    if isinstance(api.storage, Measured):
        metrics.families.add(*stored.of_store(api.storage, api.registry))
    return metrics

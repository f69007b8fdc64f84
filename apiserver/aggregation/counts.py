"""What is told of APIServices. Source: kube-aggregator/pkg/controllers/status/metrics, discovery/aggregated."""

from collections.abc import Callable, Iterator, Mapping

from apiserver.discovery.state import Discovery
from serving.series import COUNTER, Counter, Family, Shown

UNAVAILABLE = Counter(
    "aggregator_unavailable_apiservice_total",
    "How often an APIService was found not to be available, and why.",
    ("name", "reason"),
)


def families(availability: Callable[[], Mapping[str, bool]], discovery: Discovery) -> Iterator[Family]:
    """`availability` says of each APIService whether it is there."""
    yield Shown(
        "aggregator_unavailable_apiservice",
        "Whether an APIService is not available.",
        ("name",),
        lambda: [((name,), int(not is_there)) for name, is_there in availability().items()],
    )
    yield UNAVAILABLE
    yield Shown(
        "aggregator_discovery_aggregation_count_total",
        "How often the one document of all groups was made.",
        (),
        lambda: [((), discovery.aggregations)],
        type=COUNTER,
    )

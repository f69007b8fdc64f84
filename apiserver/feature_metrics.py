"""Which features are in effect, as upstream's metric says it: a gate that nothing here asks for is as v1.34 has it.

Source: component-base/metrics/prometheus/feature.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apiserver.switches import HONOURED, Features, gates


class FeatureCollector(Collector):
    """Shows every gate, read when somebody asks."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gates by name and stage; what is generally available has none."""
        found = GaugeMetricFamily(
            "kubernetes_feature_enabled",
            "This metric records the data about the stage and enablement of a k8s feature.",
            labels=("name", "stage"),
        )
        for name, gate in gates().items():
            is_on = self._features.is_on(name) if name in HONOURED else gate.is_on
            found.add_metric((name, "" if gate.stage == "GA" else gate.stage.upper()), float(is_on))
        yield found

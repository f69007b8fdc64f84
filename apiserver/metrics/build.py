"""Which version this is, and with which features: a gate that nothing here asks for is as v1.34 has it.

Source: component-base/metrics/prometheus/{version,feature,compatversion}.
"""

from collections.abc import Iterator

from apiserver.switches import HONOURED, Features, gates
from serving.exposition import build_info
from serving.series import BETA, Family, Rows, Shown
from serving.version import version_info


def families(features: Features) -> Iterator[Family]:
    """What does not change while the server runs."""
    yield build_info()
    yield Shown(
        "kubernetes_feature_enabled",
        "Whether a feature gate is on, by its name and stage.",
        ("name", "stage"),
        lambda: _features(features),
        stability=BETA,
    )
    yield Shown(
        "version_info",
        "Versions that the server is of, behaves as, and is compatible with; always 1.",
        ("binary", "component", "emulation", "min_compat"),
        _versions,
    )


def _versions() -> Rows:
    info = version_info()
    major, minor = str(info["major"]), str(info["minor"])
    binary = str(info["gitVersion"]).removeprefix("v").partition("+")[0]
    return [((binary, "kube", f"{major}.{minor}", f"{major}.{int(minor) - 1}"), 1)]


def _features(features: Features) -> Rows:
    """Every gate; what is generally available has no stage."""
    for name, gate in gates().items():
        is_on = features.is_on(name) if name in HONOURED else gate.is_on
        yield (name, "" if gate.stage == "GA" else gate.stage.upper()), float(is_on)

"""Writes tests/golden/metric_names.json: the metrics that upstream v1.34.1 has, with their types, labels and buckets.

    python -m scripts.record_metric_names METRICS SLIS DOCUMENTATION

METRICS and SLIS are what a real kube-apiserver answered at /metrics and /metrics/slis after traffic that makes as many
families appear as can be (a family without a series is not shown); DOCUMENTATION is upstream's list of the metrics of
every component, test/instrumentation/documentation/documentation-list.yaml. Where the two differ, what was recorded
holds. Figures of the Go runtime are left out.
"""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "metric_names.json"
_SAMPLE = re.compile(r"([a-zA-Z_:0-9]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"')
_STABILITY = re.compile(r"\[(ALPHA|BETA|STABLE)\]")
#: What the list calls what Prometheus knows as another type.
_TYPES = {"TimingRatioHistogram": "histogram", "Custom": "gauge"}

Row = dict[str, Any]


def shown(text: str) -> dict[str, Row]:
    """The families of a /metrics."""
    found: dict[str, Row] = {}
    family = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, family, help_ = line.split(" ", 3)
            stability = _STABILITY.search(help_)
            found[family] = {"type": "", "labels": set(), "buckets": [], "stability": stability and stability[1]}
        elif line.startswith("# TYPE "):
            found[family]["type"] = line.rsplit(" ", 1)[1]
        elif match := _SAMPLE.match(line):
            _take(found[family], dict(_LABEL.findall(match[2] or "")))
    return {name: _row(row) for name, row in found.items() if not name.startswith("go_")}


def _take(row: Row, labels: dict[str, str]) -> None:
    bound = labels.pop("le", "+Inf")
    if bound != "+Inf" and float(bound) not in row["buckets"]:
        row["buckets"].append(float(bound))
    labels.pop("quantile", "")
    row["labels"] |= set(labels)


def _row(row: Row) -> Row:
    return {name: sorted(value) if name == "labels" else value for name, value in row.items() if value}


def documented(entries: list[Row]) -> dict[str, Row]:
    """The families of upstream's list, but for those that v1.34 hides as deprecated."""
    found = {}
    for entry in entries:
        if entry.get("deprecatedVersion"):
            continue
        name = "_".join(part for part in (entry.get("namespace"), entry.get("subsystem"), entry["name"]) if part)
        kind = _TYPES.get(entry["type"], entry["type"].lower())
        row = {"type": kind, "labels": set(entry.get("labels") or ()), "buckets": entry.get("buckets") or []}
        found[name] = _row({**row, "stability": entry["stabilityLevel"]})
    return found


def main() -> None:
    """Record."""
    metrics, slis, documentation = (Path(path).read_text() for path in sys.argv[1:])
    recorded = {"/metrics": shown(metrics), "/metrics/slis": shown(slis)}
    known = {name for path in recorded.values() for name in path}
    listed = documented(yaml.safe_load(documentation))
    tree = {**recorded, "documented": {name: row for name, row in sorted(listed.items()) if name not in known}}
    lines = [
        f"{msgspec.json.encode(part).decode()}: {{\n"
        + ",\n".join(
            f"  {msgspec.json.encode(name).decode()}: {msgspec.json.encode(row).decode()}" for name, row in rows.items()
        )
        + "\n}"
        for part, rows in tree.items()
    ]
    GOLDEN.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()

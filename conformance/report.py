"""What ginkgo's JSON reports say, in a few lines: how many passed, and each that did not with its reason."""

import json
from collections import defaultdict
from pathlib import Path

_FAILED = ("failed", "panicked", "interrupted", "timedout", "aborted")


def summary(reports: list[Path]) -> str:
    """A line for each area, then a line and a reason for each failure."""
    passed, failures = defaultdict(int), defaultdict(list)
    for spec in (spec for report in reports for suite in json.loads(report.read_bytes()) for spec in _specs(suite)):
        area = next((label for label in spec.get("ContainerHierarchyLabels", [[]])[0] if label.startswith("sig-")), "")
        if spec["State"] == "passed":
            passed[area] += 1
        elif spec["State"] in _FAILED:
            failures[area].append(spec)
    total, wrong = sum(passed.values()), sum(map(len, failures.values()))
    lines = [f"{total} passed, {wrong} failed"]
    lines += [
        f"  {area:24}{passed[area]:4} of {passed[area] + len(failures[area])}" for area in sorted({*passed, *failures})
    ]
    for area in sorted(failures):
        for spec in failures[area]:
            name = " ".join((*spec["ContainerHierarchyTexts"], spec["LeafNodeText"]))
            lines += ["", f"- {name} [{spec['RunTime'] / 1e9:.0f} s]", f"    {spec['Failure']['Message'][:400]}"]
    return "\n".join(lines)


def _specs(suite):
    return [spec for spec in suite["SpecReports"] or () if spec["LeafNodeType"] == "It"]

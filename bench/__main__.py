"""`python -m bench`: makes clusters of its own, measures, prints one table with the machine in it, takes them away.

    python -m bench                        everything (about two minutes)
    python -m bench --only pod,replicas    these scenarios, on one cluster
    python -m bench --ups 1                one `up` instead of the median of three

Needs what `make up` needs. Nothing is timed out of a test's view: figures are for people to read.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import machine
from bench.cluster import Failed, running
from bench.report import median, table
from bench.scenarios import SCENARIOS

NAME = "bench-run"
NAMES = ", ".join(scenario.name for scenario in SCENARIOS)


def main(
    only: Annotated[str, typer.Option(help=f"Which scenarios, with commas: {NAMES}. Default: all.")] = "",
    ups: Annotated[int, typer.Option(help="How often the cluster is made; the median counts.", min=1)] = 3,
) -> None:
    """Measure, and print the table."""
    console, before = Console(), machine.load()
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(wanted) - {scenario.name for scenario in SCENARIOS}:
        raise typer.BadParameter(f"no scenario {', '.join(sorted(unknown))}; there are: {NAMES}", param_hint="--only")
    chosen = [scenario for scenario in SCENARIOS if not wanted or scenario.name in wanted]
    with tempfile.TemporaryDirectory(prefix="pykube-bench-") as folder:
        try:
            rows, skipped = _measure(Path(folder), chosen, 1 if wanted else ups, console)
        except Failed as error:
            console.print(f"[red]Error:[/] the cluster did not come up:\n{error}", highlight=False)
            raise typer.Exit(1) from None
    title = f"PyKube on {machine.describe()}\nload average {before} before, {machine.load()} after"
    (console if console.is_terminal else Console(width=150)).print(table(title, rows))
    for line in skipped:
        console.print(line, highlight=False)


def _measure(home, chosen, ups, console):
    """The rows, and a word for each scenario that was skipped."""
    made, rows, skipped = [], [], []
    for number in range(ups):
        with console.status(f"Making the cluster ({number + 1} of {ups}) ..."), running(NAME, home) as cluster:
            made.append(cluster)
            if number < ups - 1:
                continue
            for scenario in chosen:
                if why := scenario.unavailable():
                    skipped.append(f"Skipped {scenario.name}: {why}.")
                    continue
                with console.status(f"Measuring {scenario.name} ..."):
                    rows += scenario.measure(cluster)
    first = [
        median("cluster ready", [cluster.ready for cluster in made], aim=6, note="pykubeadm up, all installed"),
        median("demo answering", [cluster.answering for cluster in made], aim=12),
    ]
    return first + rows, skipped


if __name__ == "__main__":
    typer.run(main)

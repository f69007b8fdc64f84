"""`create poddisruptionbudget`, `priorityclass`, `quota`."""

from typing import Annotated

import typer

from apimachinery.kinds import PODDISRUPTIONBUDGETS, PRIORITYCLASSES, RESOURCEQUOTAS
from apimachinery.selectors import parse_labels
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named
from cli.flags import UsageError
from cli.options import DryRun, Output


def poddisruptionbudget(
    words: Names = None,
    selector: Annotated[str, typer.Option(help="Labels of the pods.")] = "",
    min_available: Annotated[str, typer.Option(help="How many must stay.")] = "",
    max_unavailable: Annotated[str, typer.Option(help="How many may be away.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a pod disruption budget."""
    name = named(words, "poddisruptionbudget")
    if not selector:
        raise UsageError("a selector must be specified")
    if not min_available and not max_unavailable:
        raise UsageError("one of min-available or max-unavailable must be specified")
    if min_available and max_unavailable:
        raise UsageError("min-available and max-unavailable cannot be both specified")
    parse_labels(selector)
    spec: Json = {"selector": {"matchLabels": dict(each.split("=", 1) for each in selector.split(","))}}
    key, text = ("minAvailable", min_available) if min_available else ("maxUnavailable", max_unavailable)
    spec[key] = int(text) if text.isdigit() else text
    status = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
    make(
        PODDISRUPTIONBUDGETS,
        {"metadata": metadata(name), "spec": spec, "status": status},
        Making(dry_run, output, save_config, validate, field_manager),
    )


def priorityclass(
    words: Names = None,
    value: Annotated[int, typer.Option(help="The priority.")] = 0,
    global_default: Annotated[bool, typer.Option("--global-default", help="For pods that name none.")] = False,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    preemption_policy: Annotated[str, typer.Option(help="PreemptLowerPriority|Never")] = "PreemptLowerPriority",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a priority class."""
    tree: Json = {"metadata": metadata(named(words, "priorityclass")), "preemptionPolicy": preemption_policy}
    tree |= {"value": value, "description": description} if description else {"value": value}
    if global_default:
        tree["globalDefault"] = True
    make(PRIORITYCLASSES, tree, Making(dry_run, output, save_config, validate, field_manager))


def quota(
    words: Names = None,
    hard: Annotated[str, typer.Option(help="RESOURCE=QUANTITY, several with commas.")] = "",
    scopes: Annotated[str, typer.Option(help="Scopes, several with commas.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a resource quota."""
    spec: Json = {}
    if hard:
        spec["hard"] = dict(each.split("=", 1) for each in hard.split(","))
    if scopes:
        spec["scopes"] = scopes.split(",")
    tree = {"metadata": metadata(named(words, "quota")), "spec": spec, "status": {}}
    make(RESOURCEQUOTAS, tree, Making(dry_run, output, save_config, validate, field_manager))

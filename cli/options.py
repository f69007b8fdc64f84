"""Options that several verbs share, worded once."""

from typing import Annotated

import typer

from cli.flags import UsageError

Output = Annotated[
    str,
    typer.Option("--output", "-o", help="json|yaml|name|wide|jsonpath=...|custom-columns=..."),
]
LabelSelector = Annotated[str, typer.Option("--selector", "-l", help="Labels to match, e.g. app=web,tier!=db.")]
FieldSelector = Annotated[str, typer.Option("--field-selector", help="Fields to match, e.g. status.phase=Running.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]
FileNames = Annotated[list[str] | None, typer.Option("--filename", "-f", help="A file, a folder, a URL, or - .")]
Recursive = Annotated[bool, typer.Option("--recursive", "-R", help="Folders with all below them.")]
DryRun = Annotated[str, typer.Option("--dry-run", help="none|client|server: change nothing, show what would be.")]
ShowManagedFields = Annotated[
    bool, typer.Option("--show-managed-fields", help="Keep metadata.managedFields when printing JSON or YAML.")
]
Timeout = Annotated[str, typer.Option("--timeout", help="How long to wait, e.g. 90s; 0 for ever.")]
Words = Annotated[list[str] | None, typer.Argument(help="TYPE NAME or TYPE/NAME", show_default=False)]

NO_OBJECTS = (
    "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n"
    "   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
)

_SUFFIX = {"none": "", "": "", "server": " (server dry run)", "client": " (dry run)"}


def dry_run_suffix(dry_run: str) -> str:
    """What follows the verb in a report; refuses values that are none."""
    if dry_run not in _SUFFIX:
        raise UsageError(f'Invalid dry-run value ({dry_run}). Must be "none", "server", or "client".')
    return _SUFFIX[dry_run]

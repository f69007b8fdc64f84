"""The webhooks of Mutating- and ValidatingWebhookConfigurations, compiled anew when one of them changes.

Source: apiserver/pkg/admission/configuration.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.admission.matching import Criteria, selector
from apiserver.request import Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One webhook of a configuration."""

    uid: str  #: its configuration, place and name
    configuration: str
    index: int  #: its place among all hooks
    name: str
    criteria: Criteria
    conditions: Sequence[Json]
    client: Json
    versions: Sequence[str]
    seconds: int
    ignores_failures: bool
    dry_run_safe: bool
    reinvoked: bool


def hooks(configurations: Sequence[Json]) -> tuple[Hook, ...]:
    """The webhooks of all configurations, in the order in which they are asked."""
    ordered = sorted(configurations, key=lambda tree: str(tree["metadata"]["name"]))
    rows = [(tree["metadata"]["name"], i, row) for tree in ordered for i, row in enumerate(tree.get("webhooks") or ())]
    return tuple(_hook(name, i, place, row) for place, (name, i, row) in enumerate(rows))


def _hook(configuration: str, index: int, place: int, row: Json) -> Hook:
    return Hook(
        uid=f"{configuration}/{row['name']}/{index}",
        configuration=configuration,
        index=place,
        name=row["name"],
        criteria=Criteria(
            rules=row.get("rules") or (),
            equivalent=row.get("matchPolicy") == "Equivalent",
            namespaces=selector(row.get("namespaceSelector")),
            objects=selector(row.get("objectSelector")),
        ),
        conditions=row.get("matchConditions") or (),
        client=row.get("clientConfig") or {},
        versions=row.get("admissionReviewVersions") or (),
        seconds=row.get("timeoutSeconds") or 10,
        ignores_failures=row.get("failurePolicy") == "Ignore",
        dry_run_safe=row.get("sideEffects") in ("None", "NoneOnDryRun"),
        reinvoked=row.get("reinvocationPolicy") == "IfNeeded",
    )


class Source:
    """The hooks of one kind of configuration, compiled anew when one of them changes."""

    def __init__(self, lookup: Lookup, kind: Kind, changes: Callable[[], object]) -> None:
        self._lookup, self._kind, self._changes = lookup, kind, changes
        self._version: object = None
        self._hooks: tuple[Hook, ...] = ()

    def __call__(self) -> tuple[Hook, ...]:
        version = self._changes()
        if version != self._version:
            self._hooks = hooks(self._lookup.list(self._kind))
            self._version = version
        return self._hooks

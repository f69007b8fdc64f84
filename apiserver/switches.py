"""--feature-gates and --runtime-config: which features are on, and which versions are served besides the usual ones.

Every gate of v1.34 is known with its stage and default (feature_gates.yaml); what upstream has locked is locked here.
A gate that this server acts by (`HONOURED`) takes effect; any other can be set as upstream allows it, and
`without_effect` is what the log then says: the feature is there, or not, as v1.34 has it by default.
A version that this server does not have is refused at the start, in place of a server that is not what was asked for.
Source: component-base/featuregate/feature_gate.go, apiserver/pkg/server/options/api_enablement.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

import yaml

from apimachinery.kinds import KINDS, ON_REQUEST, Kind

#: The gates that something in this server asks for.
HONOURED = frozenset(
    [
        "APIServerIdentity",
        "AllowParsingUserUIDFromCertAuth",
        "MutatingAdmissionPolicy",
        "OpenAPIEnums",
        "RemoteRequestHeaderUID",
        "StorageVersionHash",
        "WatchList",
    ]
)
#: What stands for many gates at once.
_ALL = {"AllAlpha": "Alpha", "AllBeta": "Beta"}
#: What stands for many API versions at once, and whether those are served.
_STAGES: Mapping[str, bool] = {"api/ga": True, "api/beta": False, "api/alpha": False}
_ELSE = f", but on those of {', '.join(sorted(HONOURED))}"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True, slots=True)
class Gate:
    """What v1.34 says of a gate."""

    stage: str
    is_on: bool
    is_locked: bool


@lru_cache(maxsize=1)
def gates() -> Mapping[str, Gate]:
    """Every gate that v1.34 knows."""
    text = files(__package__).joinpath("feature_gates.yaml").read_text()
    rows = yaml.load(text, Loader=yaml.CSafeLoader)
    return {name: Gate(row["stage"], row["is_on"], row["locked"]) for row in rows for name in row["names"].split()}


@dataclass(frozen=True, slots=True)
class Features:
    """Which features are on: as v1.34 has them, but for what was `asked`."""

    asked: Mapping[str, bool] = field(default_factory=dict)

    def is_on(self, name: str) -> bool:
        """Whether a feature is on: one of those in HONOURED."""
        assert name in HONOURED, name
        if name in self.asked:
            return self.asked[name]
        gate = gates()[name]
        for all_of, stage in _ALL.items():
            if all_of in self.asked and gate.stage == stage and not gate.is_locked:
                return self.asked[all_of]
        return gate.is_on

    def without_effect(self) -> list[str]:
        """A sentence for each gate that was set otherwise than by default, and that nothing here asks for."""
        changed = [name for name, value in self.asked.items() if value != gates()[name].is_on and name not in HONOURED]
        return [
            f"feature gate {name}={_text(self.asked[name])} has no effect on this server{_ELSE if name in _ALL else ''}"
            for name in sorted(changed)
        ]

    def warnings(self) -> list[str]:
        """What upstream warns of: gates that will go."""
        found = []
        for name, value in self.asked.items():
            stage = gates()[name].stage
            word = {"GA": "GA", "Deprecated": "deprecated"}.get(stage)
            if word is not None:
                text = f"Setting {word} feature gate {name}={_text(value)}. It will be removed in a future release."
                found.append(text)
        return found


#: As v1.34 has them.
DEFAULTS = Features()


def features(text: str) -> Features:
    """The features that `A=true,kube:B=false` asks for. Raises ValueError as upstream words it."""
    asked: dict[str, bool] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        gate = name.strip().removeprefix("kube:")
        if not equals:
            raise ValueError(f"missing bool value for {gate}")
        asked[gate] = _boolean(gate, value.strip())
    problems = []
    for gate, wanted in asked.items():
        if gate not in gates():
            raise ValueError(f"unrecognized feature gate: {gate}")
        known = gates()[gate]
        if known.is_locked and wanted != known.is_on:
            locked = f"feature is locked to {_text(known.is_on)}"
            problems.append(f"cannot set feature gate {gate} to {_text(wanted)}, {locked}")
    if problems:
        raise ValueError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return Features(asked)


def more_kinds(text: str, served: Iterable[Kind] = KINDS, on_request: Iterable[Kind] = ON_REQUEST) -> tuple[Kind, ...]:
    """The kinds that `GROUP/VERSION[/RESOURCE]=true` adds to those served. Raises ValueError for what cannot be had."""
    versions, optional = {kind.api_version for kind in served}, list(on_request)
    groups = {version.rpartition("/")[0] for version in versions}
    chosen: dict[Kind, bool] = {}
    for name, value in _settings(text):
        wanted = _boolean(name, value or "true")
        version, resource = _split(name)
        if name not in _STAGES and version.rpartition("/")[0] not in groups:
            raise ValueError(f"unknown api groups {version.rpartition('/')[0] or name}")
        if meant := [k for k in optional if k.api_version == version and resource in ("", k.plural)]:
            chosen.update(dict.fromkeys(meant, wanted))
            continue
        is_served = _STAGES.get(name, version in versions)
        if wanted != is_served:
            fact = "always serves it" if is_served else "does not serve it"
            raise ValueError(f"cannot set {name} to {value or 'true'}: this server {fact}")
    return tuple(kind for kind in optional if chosen.get(kind))


def _split(name: str) -> tuple[str, str]:
    """The group version, and the resource, of a setting. The core group goes by `v1` and by `api/v1`."""
    if name.startswith("api/v1"):
        name = name.removeprefix("api/")
    if name.count("/") < (1 if name.startswith("v1/") else 2):
        return name, ""
    version, _, resource = name.rpartition("/")
    return version, resource


def _settings(text: str) -> list[tuple[str, str]]:
    pairs = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _boolean(name: str, value: str) -> bool:
    if value not in (*_TRUE, *_FALSE):
        raise ValueError(f'invalid value of {name}={value}, err: strconv.ParseBool: parsing "{value}": invalid syntax')
    return value in _TRUE


def _text(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"

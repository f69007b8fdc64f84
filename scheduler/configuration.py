"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): the file that says what a scheduler decides by.

Read of it: profiles with their names, plugins turned off or weighed otherwise at the points filter, score, postFilter
and multiPoint, and the arguments of NodeResourcesFit (LeastAllocated, MostAllocated), InterPodAffinity
(hardPodAffinityWeight) and PodTopologySpread (default constraints); leader election and the kubeconfig. What tunes
upstream's work and has no meaning here is accepted (`_IGNORED`); whatever else the file may say and is not obeyed here
is refused. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import Struct

from apimachinery import yaml_loader
from apimachinery.objects.core_v1 import TopologySpreadConstraint
from apimachinery.types import Json
from scheduler.affinity import PreferredNeighbours
from scheduler.filters import Filter
from scheduler.place import DEFAULT, PLUGINS, Profile
from scheduler.scores import Allocated, Score
from scheduler.spreading import Defaults
from scheduler.views import SCHEDULER_NAME

API_VERSION, KIND = "kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration"
#: Keys that tune how upstream works, not what it decides.
_IGNORED = (
    "parallelism",
    "percentageOfNodesToScore",
    "enableProfiling",
    "enableContentionProfiling",
    "delayCacheUntilActive",
)
_ALWAYS = ("SchedulingGates", "PrioritySort", "NodeName", "DefaultBinder", "DynamicResources")
_VOLUMES = ("VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone")
_POINTS = ("filter", "score", "postFilter", "multiPoint")


class Wrong(ValueError):
    """The file cannot be obeyed; the message says why."""


class LeaderElection(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    leader_elect: bool = True


class ClientConnection(Struct, frozen=True, forbid_unknown_fields=True):
    kubeconfig: str = ""


class Plugin(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    weight: int = 0


class PluginSet(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: tuple[Plugin, ...] = ()
    disabled: tuple[Plugin, ...] = ()


class PluginConfig(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    args: Json = {}


class ProfileFile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    scheduler_name: str = SCHEDULER_NAME
    percentage_of_nodes_to_score: int | None = None
    plugins: Mapping[str, PluginSet] = {}
    plugin_config: tuple[PluginConfig, ...] = ()


class File(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    api_version: str
    kind: str
    leader_election: LeaderElection = LeaderElection()
    client_connection: ClientConnection = ClientConnection()
    profiles: tuple[ProfileFile, ...] = (ProfileFile(),)


class Resource(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    weight: int = 1


class Strategy(Struct, frozen=True, forbid_unknown_fields=True):
    type: str = "LeastAllocated"
    resources: tuple[Resource, ...] = (Resource("cpu"), Resource("memory"))


class FitArgs(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    scoring_strategy: Strategy = Strategy()


class AffinityArgs(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    hard_pod_affinity_weight: int = 1


class SpreadArgs(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    default_constraints: tuple[TopologySpreadConstraint, ...] = ()
    defaulting_type: str = "System"


@dataclass(frozen=True)
class Configuration:
    """What the file says."""

    profiles: Mapping[str, Profile] = field(default_factory=lambda: {SCHEDULER_NAME: DEFAULT})
    leader_elect: bool = True
    kubeconfig: str = ""


def load(text: str) -> Configuration:
    """The configuration in a file's text. Raises Wrong."""
    try:
        tree, _ = yaml_loader.load_first(text.encode())
        given = tree if isinstance(tree, dict) else {}
        file = msgspec.convert({key: value for key, value in given.items() if key not in _IGNORED}, File)
    except (yaml_loader.YamlError, msgspec.ValidationError) as error:
        raise Wrong(str(error)) from error
    if (file.api_version, file.kind) != (API_VERSION, KIND):
        raise Wrong(
            f'no kind "{file.kind}" is registered for version "{file.api_version}"; wanted {API_VERSION} {KIND}'
        )
    profiles: dict[str, Profile] = {}
    for one in file.profiles:
        if one.scheduler_name in profiles:
            raise Wrong(f'duplicate profile with scheduler name "{one.scheduler_name}"')
        profiles[one.scheduler_name] = _profile(one)
    return Configuration(profiles, file.leader_election.leader_elect, file.client_connection.kubeconfig)


def _profile(file: ProfileFile) -> Profile:
    _check(file)
    args = {one.name: dict(one.args) for one in file.plugin_config}
    spread = _args(args, "PodTopologySpread", SpreadArgs)
    made = replace(
        DEFAULT,
        filters=_filters(file, DEFAULT.filters),
        after_volumes=_filters(file, DEFAULT.after_volumes),
        scores=_scores(file, args),
        preempts=_weight(file, "DefaultPreemption", "postFilter", 1) > 0,
    )
    if spread.defaulting_type == "List":
        return replace(made, spread=Defaults(spread.default_constraints))
    if spread.defaulting_type != "System" or spread.default_constraints:
        raise Wrong("PodTopologySpread: defaultConstraints want defaultingType List, and nothing else does")
    return made


def _check(file: ProfileFile) -> None:
    for point, plugins in file.plugins.items():
        if point not in _POINTS:
            raise Wrong(f"plugins of the point {point} cannot be chosen here")
        for plugin in (*plugins.enabled, *plugins.disabled):
            if plugin.name not in (*PLUGINS, *_ALWAYS, *_VOLUMES, "DefaultPreemption", "*"):
                raise Wrong(f"plugin {plugin.name} does not exist")
        for plugin in plugins.disabled:
            if plugin.name in (*_ALWAYS, *_VOLUMES):
                raise Wrong(f"plugin {plugin.name} cannot be disabled here")


def _weight(file: ProfileFile, name: str, point: str, default: int) -> int:
    """The plugin's weight at a point; 0 where it is off. What is said of the point goes before multiPoint."""
    for place in (point, "multiPoint"):
        plugins = file.plugins.get(place, PluginSet())
        for plugin in plugins.enabled:
            if plugin.name == name:
                return plugin.weight or default
        if any(plugin.name in (name, "*") for plugin in plugins.disabled):
            return 0
    return default


def _filters(file: ProfileFile, filters: Sequence[Filter]) -> Sequence[Filter]:
    return tuple(one for one in filters if _weight(file, _name(one), "filter", 1))


def _name(plugin: Filter | Score) -> str:
    return next(name for name, types in PLUGINS.items() if isinstance(plugin, types))


def _scores(file: ProfileFile, args: Mapping[str, Json]) -> Sequence[tuple[Score, int]]:
    strategy = _args(args, "NodeResourcesFit", FitArgs).scoring_strategy
    if strategy.type not in ("LeastAllocated", "MostAllocated"):
        raise Wrong(f"scoringStrategy {strategy.type} is not obeyed here")
    allocated = Allocated(
        tuple((one.name, one.weight) for one in strategy.resources), prefers_full=strategy.type == "MostAllocated"
    )
    neighbours = PreferredNeighbours(_args(args, "InterPodAffinity", AffinityArgs).hard_pod_affinity_weight)
    known = {"NodeResourcesFit", "InterPodAffinity", "PodTopologySpread"}
    if unknown := set(args) - known:
        raise Wrong(f"arguments of {', '.join(sorted(unknown))} are not obeyed here")
    found = []
    for score, default in DEFAULT.scores:
        name = _name(score)
        chosen = {"NodeResourcesFit": allocated, "InterPodAffinity": neighbours}.get(name, score)
        if weight := _weight(file, name, "score", default):
            found.append((chosen, weight))
    return tuple(found)


def _args(args: Mapping[str, Json], name: str, kind: type[Any]) -> Any:
    given = {key: value for key, value in args.get(name, {}).items() if key not in ("apiVersion", "kind")}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Wrong(f"{name}: {error}") from error

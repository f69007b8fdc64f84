"""KubeSchedulerConfiguration: what a file says is obeyed, and what cannot be is refused."""

import pytest

from apimachinery.selectors import from_labels
from scheduler.affinity import PreferredNeighbours
from scheduler.configuration import Wrong, load
from scheduler.place import DEFAULT
from scheduler.scores import Allocated
from tests.unit.scheduler_builders import cluster, decide, node, pod

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
PACKING = """
profiles:
- schedulerName: packing
  pluginConfig:
  - name: NodeResourcesFit
    args:
      apiVersion: kubescheduler.config.k8s.io/v1
      kind: NodeResourcesFitArgs
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 2}, {name: memory, weight: 1}]}
  - {name: InterPodAffinity, args: {hardPodAffinityWeight: 7}}
- schedulerName: default-scheduler
"""
FEW = """
profiles:
- plugins:
    multiPoint: {disabled: [{name: ImageLocality}]}
    score: {disabled: [{name: "*"}], enabled: [{name: TaintToleration, weight: 9}]}
    filter: {disabled: [{name: NodePorts}]}
    postFilter: {disabled: [{name: DefaultPreemption}]}
"""


def names(plugins):
    return [type(each).__name__ for each in plugins]


def test_without_a_word_everything_is_as_ever():
    found = load(HEAD)
    assert found.profiles == {"default-scheduler": DEFAULT}
    assert found.leader_elect


def test_profiles_decide_each_in_its_way():
    profiles = load(HEAD + PACKING).profiles
    assert list(profiles) == ["packing", "default-scheduler"]
    scores = [score for score, _ in profiles["packing"].scores]
    assert Allocated((("cpu", 2), ("memory", 1)), prefers_full=True) in scores
    assert PreferredNeighbours(7) in scores
    state = cluster(node("a"), node("b"), pods=[pod("one", cpu="2", memory="2Gi", nodeName="b")])
    assert decide(state, pod("p", cpu="1"), profile=profiles["packing"]).node == "b"
    assert decide(state, pod("p", cpu="1"), profile=profiles["default-scheduler"]).node == "a"


def test_plugins_are_turned_off_and_weighed():
    profile = load(HEAD + FEW).profiles["default-scheduler"]
    assert [(type(score).__name__, weight) for score, weight in profile.scores] == [("PreferUntainted", 9)]
    assert "NodePorts" not in names(profile.filters)
    assert "NodeResourcesFit" in names(profile.filters)
    assert not profile.preempts


def test_constraints_for_pods_that_have_none():
    constraint = "{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}"
    args = f"{{defaultingType: List, defaultConstraints: [{constraint}]}}"
    spread = load(f"{HEAD}profiles: [{{pluginConfig: [{{name: PodTopologySpread, args: {args}}}]}}]").profiles
    state = cluster(node("a", labels={"zone": "1"}), node("b", labels={"zone": "2"}), pods=[pod("x", nodeName="a")])
    owners = from_labels({"app": "x"})
    row = state.row(pod("p", labels={"app": "x"}), owners, spread["default-scheduler"].spread)
    assert [(each.key, each.max_skew, each.selector) for each in row.hard] == [("zone", 1, owners)]
    assert row.soft == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("{", "did not find expected node content", id="no YAML"),
        pytest.param("kind: Pod\napiVersion: v1", 'no kind "Pod" is registered for version "v1"', id="another kind"),
        pytest.param(HEAD + "extenders: []", "unknown field `extenders`", id="extenders"),
        pytest.param(HEAD + "profiles: [{plugins: {bind: {}}}]", "bind cannot be chosen", id="another point"),
        pytest.param(HEAD + "profiles: [{plugins: {score: {enabled: [{name: Own}]}}}]", "Own does not exist", id="own plugin"),
        pytest.param(HEAD + "profiles: [{plugins: {filter: {disabled: [{name: VolumeBinding}]}}}]", "VolumeBinding cannot be disabled", id="volumes"),
        pytest.param(HEAD + "profiles: [{}, {}]", 'duplicate profile with scheduler name "default-scheduler"', id="twice"),
        pytest.param(HEAD + "profiles: [{pluginConfig: [{name: NodeAffinity, args: {}}]}]", "NodeAffinity are not obeyed", id="other arguments"),
        pytest.param(HEAD + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio}}}]}]", "RequestedToCapacityRatio is not obeyed", id="another strategy"),
    ],
)  # fmt: skip
def test_what_cannot_be_obeyed_is_refused(text, complaint):
    with pytest.raises(Wrong) as refusal:
        load(text)
    assert complaint in str(refusal.value)

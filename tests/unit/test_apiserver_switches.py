"""Feature gates and API versions on the command line: what can be had, what is refused, and in which words."""

import re

import pytest

from apimachinery.kinds import MUTATINGADMISSIONPOLICIES, MUTATINGADMISSIONPOLICYBINDINGS
from apiserver.switches import HONOURED, features, gates, more_kinds

LOCKED_ON = "cannot set feature gate SidecarContainers to false, feature is locked to true"
LOCKED_OFF = "cannot set feature gate WatchFromStorageWithoutResourceVersion to true, feature is locked to false"
MUTATING = "admissionregistration.k8s.io/v1beta1"


def test_gates_are_as_v1_34_has_them():
    assert features("").is_on("WatchList")
    assert not features("").is_on("MutatingAdmissionPolicy")


@pytest.mark.parametrize("text", ["MutatingAdmissionPolicy=true", "kube:MutatingAdmissionPolicy=1", "AllBeta=true"])
def test_a_gate_is_turned_on(text):
    assert features(text).is_on("MutatingAdmissionPolicy")


def test_all_of_a_stage_leaves_out_what_was_said_of_one():
    asked = features("AllBeta=true,MutatingAdmissionPolicy=false,AllAlpha=true")
    assert not asked.is_on("MutatingAdmissionPolicy")
    assert asked.is_on("WatchList")


def test_gates_that_are_locked_to_a_default_can_be_set_to_it():
    assert features("SidecarContainers=true").without_effect() == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Nope=true", "unrecognized feature gate: Nope"),
        ("SidecarContainers=false", LOCKED_ON),
        (
            "SidecarContainers=false,WatchFromStorageWithoutResourceVersion=true",
            f"[{LOCKED_ON}, {LOCKED_OFF}]",
        ),
        ("AllBeta=xx", 'invalid value of AllBeta=xx, err: strconv.ParseBool: parsing "xx": invalid syntax'),
        ("AllBeta", "missing bool value for AllBeta"),
    ],
)
def test_other_gates_are_refused(text, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        features(text)


def test_a_gate_that_nothing_here_asks_for_is_told():
    assert features("ContainerStopSignals=true,MutatingAdmissionPolicy=true").without_effect() == [
        "feature gate ContainerStopSignals=true has no effect on this server"
    ]
    assert features("ContainerStopSignals=false").without_effect() == []


def test_gates_that_will_go_are_warned_of():
    (text,) = features("StorageNamespaceIndex=true").warnings()
    assert text == (
        "Setting deprecated feature gate StorageNamespaceIndex=true. It will be removed in a future release."
    )


def test_what_is_honoured_exists_and_can_be_changed():
    assert all(not gates()[name].is_locked for name in HONOURED)


@pytest.mark.parametrize(
    "text", ["", "v1=true,apps/v1", "api/v1", "api/ga=true,api/beta=false", "apps/v1beta1=false", f"{MUTATING}=false"]
)
def test_versions_that_are_served_anyway(text):
    assert more_kinds(text) == ()


def test_versions_served_on_request():
    assert more_kinds(f"{MUTATING}=true") == (MUTATINGADMISSIONPOLICIES, MUTATINGADMISSIONPOLICYBINDINGS)
    assert more_kinds(f"{MUTATING}/mutatingadmissionpolicies=true") == (MUTATINGADMISSIONPOLICIES,)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nope/v1=true", "unknown api groups nope"),
        ("apps/v1=false", "cannot set apps/v1 to false: this server always serves it"),
        ("apps/v2=true", "cannot set apps/v2 to true: this server does not serve it"),
        ("api/beta=true", "cannot set api/beta to true: this server does not serve it"),
    ],
)
def test_other_versions_are_refused(text, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        more_kinds(text)

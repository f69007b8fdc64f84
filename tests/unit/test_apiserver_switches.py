"""Feature gates and API versions on the command line: what is as asked passes, the rest is refused."""

import re

import pytest

from apiserver.switches import check_gates, check_versions

SERVED = [("", "v1"), ("apps", "v1"), ("autoscaling", "v2")]


@pytest.mark.parametrize("text", ["", "SidecarContainers=true", "kube:CBORServingAndStorage=false, AllAlpha=0"])
def test_gates_as_they_are_here(text):
    check_gates(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Nope=true", "unrecognized feature gate: Nope"),
        (
            "SidecarContainers=false",
            "cannot set feature gate SidecarContainers to false, this server has no switch for it",
        ),
        ("AllBeta=xx", 'invalid value of AllBeta=xx, err: strconv.ParseBool: parsing "xx": invalid syntax'),
        ("AllBeta", 'invalid value of AllBeta=, err: strconv.ParseBool: parsing "": invalid syntax'),
    ],
)
def test_other_gates_are_refused(text, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        check_gates(text)


@pytest.mark.parametrize("text", ["", "v1=true,apps/v1", "api/ga=true,api/beta=false", "apps/v1beta1=false"])
def test_versions_that_are_served(text):
    check_versions(text, SERVED)


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
        check_versions(text, SERVED)

"""What is printed: YAML as goyaml writes it, tabs as Go's tab writer aligns them, ages, JSONPath, commands."""

import pytest

from apimachinery.kinds import DEPLOYMENTS
from cli import jsonpath
from cli.commands import VERBS
from cli.describing.writer import human, tabbed
from cli.drain import verdict
from cli.rollout_status import progress
from cli.usage import unknown_command
from cli.yaml_output import to_yaml


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("true", '"true"'),
        ("12", '"12"'),
        ("1e3", '"1e3"'),
        ("10:30", '"10:30"'),
        ("", '""'),
        ("2024-01-01T00:00:00Z", '"2024-01-01T00:00:00Z"'),
        ("a: b", "'a: b'"),
        ("two\nlines\n", "|\n  two\n  lines"),
        (None, "null"),
        ([], "[]"),
    ],
)
def test_yaml_values(value, text):
    assert to_yaml({"a": value}) == f"a: {text}\n"


def test_yaml_keys_are_in_natural_order():
    assert list(to_yaml({"a10": 1, "a2": 1, "b.c": 1, "bc": 1}).split()[::2]) == ["a2:", "a10:", "b.c:", "bc:"]


def test_tabs_align_in_runs_of_lines():
    assert tabbed("a\tb\nlonger\tc\nalone\nx\ty\n") == "a       b\nlonger  c\nalone\nx  y\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5s"),
        (119, "119s"),
        (125, "2m5s"),
        (600, "10m"),
        (10800, "3h"),
        (11000, "3h3m"),
        (200000, "2d7h"),
        (10**6, "11d"),
    ],
)
def test_ages(seconds, text):
    assert human(seconds) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.a}", "1"),
        ("{.items[*].n}", "x y"),
        ('{range .items[*]}{.n}{"\\n"}{end}', "x\ny\n"),
        ('{.items[?(@.n=="y")].v}', "2"),
        (".a", "1"),
    ],
)
def test_jsonpath(template, text):
    assert jsonpath.render(template, {"a": 1, "items": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}) == text


def test_near_commands_are_named():
    assert "Did you mean this?\n\tset\n\tget" in unknown_command(
        "gt", list(dict.fromkeys(verb.first for verb in VERBS))
    )


def deployment(replicas=3, updated=3, total=3, available=3, observed=1):
    status = {
        "observedGeneration": observed,
        "updatedReplicas": updated,
        "replicas": total,
        "availableReplicas": available,
    }
    return {"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": replicas}, "status": status}


@pytest.mark.parametrize(
    ("tree", "word", "done"),
    [
        (deployment(), "successfully rolled out", True),
        (deployment(observed=0), "spec update to be observed", False),
        (deployment(updated=1), "1 out of 3 new replicas", False),
        (deployment(total=4), "1 old replicas are pending", False),
        (deployment(available=2), "2 of 3 updated replicas", False),
    ],
)
def test_rollout_progress(tree, word, done):
    text, finished = progress(DEPLOYMENTS, tree, 0)
    assert word in text
    assert finished is done


def pod(owner="", *, local=False, phase="Running"):
    owners = [{"kind": owner, "name": "x", "controller": True}] if owner else []
    return {
        "metadata": {"ownerReferences": owners},
        "spec": {"volumes": [{"emptyDir": {}}] if local else []},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("tree", "flags", "goes", "refused"),
    [
        (pod("ReplicaSet"), {}, True, ""),
        (pod(), {}, False, "declare no controller"),
        (pod(), {"force": True}, True, ""),
        (pod("DaemonSet"), {}, False, "DaemonSet-managed"),
        (pod("DaemonSet"), {"ignore_daemonsets": True}, False, ""),
        (pod("ReplicaSet", local=True), {}, False, "local storage"),
        (pod("ReplicaSet", local=True), {"delete_data": True}, True, ""),
        (pod(phase="Succeeded"), {}, True, ""),
    ],
)
def test_who_is_drained(tree, flags, goes, refused):
    options = {"force": False, "ignore_daemonsets": False, "delete_data": False} | flags
    decided, _, error = verdict(tree, daemon_set_exists=True, **options)
    assert decided is goes
    assert refused in error
    assert bool(error) is bool(refused)

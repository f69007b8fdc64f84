"""FlowSchemas and priority levels: what they are refused for, in a v1.34 server's words; events of either group."""

import copy

import pytest

from apimachinery import kinds as k
from apiserver import flow_objects
from apiserver.strategies import strategy_of
from tests.unit.test_strategies_kinds import complaints, made

_USER = {"kind": "User", "user": {"name": "u"}}
_ROBOT = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "n", "name": "*"}}
_ALL = {"verbs": ["*"], "nonResourceURLs": ["*"]}


def schema(rules=(), **spec):
    spec = {"priorityLevelConfiguration": {"name": "l"}, "matchingPrecedence": 5, "rules": [*rules], **spec}
    return complaints(k.FLOWSCHEMAS, made(k.FLOWSCHEMAS, spec=spec))


def rule(subjects=(_USER,), others=(_ALL,), resources=()):
    return {"subjects": [*subjects], "nonResourceRules": [*others], "resourceRules": [*resources]}


def level(name="l", **spec):
    return complaints(
        k.PRIORITYLEVELCONFIGURATIONS, made(k.PRIORITYLEVELCONFIGURATIONS, metadata={"name": name}, spec=spec)
    )


def test_a_good_schema_has_nothing_against_it():
    everything = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}
    assert schema([rule([_USER, _ROBOT]), rule(others=(), resources=[everything])]) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"matchingPrecedence": 10001},
            "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
        ),
        (
            {"matchingPrecedence": 1},
            "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
        ),
        (
            {"priorityLevelConfiguration": {"name": ""}},
            "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
        ),
        (
            {"distinguisherMethod": {"type": "x"}},
            'spec.distinguisherMethod.type: Unsupported value: {"Type":"x"}: supported values: "ByNamespace", "ByUser"',
        ),
    ],
)
def test_what_a_schema_says_of_itself(spec, expected):
    assert schema([rule()], **spec) == [expected]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (rule(()), ".subjects: Required value: subjects must contain at least one value"),
        (rule(others=()), ": Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
        (
            rule([{**_USER, "group": {"name": "g"}}]),
            ".subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
        ),
        (rule([{"kind": "User"}]), ".subjects[0].user: Required value: user is required when subject kind is 'User'"),
        (
            rule([{"kind": "Robot"}]),
            '.subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
        ),
        (
            rule(others=[{"verbs": ["*", "get"], "nonResourceURLs": ["/a/*/b"]}]),
            '.nonResourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
        ),
        (
            rule(others=[{"verbs": ["get"], "nonResourceURLs": ["/a/*/b"]}]),
            '.nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a/*/b": wildcard can only do suffix matching',
        ),
        (
            rule(others=(), resources=[{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
            (
                ".resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at"
                " least one namespace"
            ),
        ),
    ],
)
def test_whom_and_what_a_schema_matches(wrong, expected):
    assert schema([wrong])[0] == f"spec.rules[0]{expected}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "Limited"}, "spec.limited: Required value: must not be empty when type is Limited"),
        (
            {"type": "Exempt"},
            "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'",
        ),
        (
            {"type": "Limited", "limited": {"limitResponse": {"type": "Reject", "queuing": {}}}},
            "spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited",
        ),
        (
            {
                "type": "Limited",
                "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 8, "handSize": 9}}},
            },
            "spec.limited.limitResponse.queuing.handSize: Invalid value: 9: should not be greater than queues (8)",
        ),
        (
            {
                "type": "Limited",
                "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 10_000_000, "handSize": 6}}},
            },
            (
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 6: required entropy bits of deckSize 10000000"
                " and handSize 6 should not be greater than 60"
            ),
        ),
        (  # the bits of a roughly dealt hand, without a look at each of its cards
            {
                "type": "Limited",
                "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 30, "handSize": 13}}},
            },
            (
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 13: required entropy bits of deckSize 30"
                " and handSize 13 should not be greater than 60"
            ),
        ),
    ],
)
def test_levels(spec, expected):
    assert level(**spec)[0] == expected


def test_the_mandatory_objects_keep_what_they_say():
    for kind, trees in (
        (k.FLOWSCHEMAS, flow_objects.MANDATORY_SCHEMAS),
        (k.PRIORITYLEVELCONFIGURATIONS, flow_objects.MANDATORY_LEVELS),
    ):
        for tree in trees:
            good = strategy_of(kind).default(copy.deepcopy(dict(tree)))
            assert complaints(kind, good) == []
    changed = level("catch-all", type="Limited", limited={"limitResponse": {"type": "Reject"}})
    assert changed[-1].endswith("spec of 'catch-all' must equal the fixed value")


_OF_TODAY = {
    "regarding": {},
    "involvedObject": {"namespace": "default", "kind": "Pod", "name": "p"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingComponent": "example.com/x",
    "reportingInstance": "x-1",
    "action": "Doing",
    "reason": "Done",
    "type": "Normal",
}


def event(**changes):
    return {"metadata": {"name": "e", "namespace": "default"}, **_OF_TODAY, **changes}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"type": "Odd"}, ['type: Invalid value: "": has invalid value: Odd']),
        ({"count": 1}, ['count: Invalid value: "": needs to be unset']),
        ({"series": {"count": 1}}, [
            'series.count: Invalid value: "": should be at least 2',
            "series.lastObservedTime: Required value",
        ]),
        ({"action": ""}, ["action: Required value"]),
        ({"action": "a" * 129}, ['action: Invalid value: "": can have at most 128 characters']),
        ({"involvedObject": {"kind": "Pod"}, "eventTime": None}, ["eventTime: Required value"]),
    ],
)  # fmt: skip
def test_events_of_the_new_group_as_they_are_stored(changes, expected):
    assert [str(it) for it in strategy_of(k.EVENTS_V1).check(event(**changes), None)] == expected


def test_an_event_of_the_new_group_changes_only_its_series():
    check = strategy_of(k.EVENTS_V1).check
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}
    assert check(event(series=series), event()) == []
    changed = event(involvedObject={**_OF_TODAY["involvedObject"], "name": "q"}, reason="Other")
    assert [str(it) for it in check(changed, event())] == [
        (
            'involvedObject: Invalid value: {"Kind":"Pod","Namespace":"default","Name":"q","UID":"","APIVersion":"",'
            '"ResourceVersion":"","FieldPath":""}: field is immutable'
        ),
        'reason: Invalid value: "Other": field is immutable',
        'reason: Invalid value: "Other": field is immutable',
    ]

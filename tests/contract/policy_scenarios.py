"""Scenarios of mutating policies: what is set up, what is asked then. An upstream server and ours give the same answers.

scripts/record_policies.py asks upstream and keeps the answers, test_admission_mutating.py asks ours. The scenarios are
in policy_scenarios_*.py by what they are about; here is all of them, and what is no policy.
"""

import copy
import re
from typing import Any

from tests.contract import (
    policy_scenarios_applying,
    policy_scenarios_custom,
    policy_scenarios_matching,
    policy_scenarios_patching,
)
from tests.contract.policy_objects import (
    CONFIGMAPS,
    apply,
    patch,
    rule,
)

#: name -> (what is made first, what is asked then)
SCENARIOS = {
    **policy_scenarios_applying.SCENARIOS,
    **policy_scenarios_matching.SCENARIOS,
    **policy_scenarios_patching.SCENARIOS,
    **policy_scenarios_custom.SCENARIOS,
}

#: Policies and bindings that are refused.
_GOOD = {
    "matchConstraints": {"resourceRules": [CONFIGMAPS]},
    "mutations": [apply("Object{}")],
    "reinvocationPolicy": "Never",
}


def _changed(**changes):
    spec = {**copy.deepcopy(_GOOD), **changes}
    return {"metadata": {"name": "bad"}, "spec": {key: value for key, value in spec.items() if value is not None}}


BAD = {
    "nothing": {"metadata": {"name": "bad"}},
    "no mutations": _changed(mutations=[]),
    "no reinvocation": _changed(reinvocationPolicy=None),
    "bad reinvocation": _changed(reinvocationPolicy="Always"),
    "bad failure policy": _changed(failurePolicy="Open"),
    "no constraints": _changed(matchConstraints=None),
    "no rules": _changed(matchConstraints={}),
    "deletes": _changed(matchConstraints={"resourceRules": [rule("configmaps", "", "DELETE", "CREATE")]}),
    "no patch type": _changed(mutations=[{}]),
    "bad patch type": _changed(mutations=[{"patchType": "Merge"}]),
    "no expression": _changed(mutations=[apply(" ")]),
    "no patch expression": _changed(mutations=[patch("")]),
    "missing member": _changed(mutations=[{"patchType": "JSONPatch"}, {"patchType": "ApplyConfiguration"}]),
    "wrong member": _changed(
        mutations=[
            {**apply("Object{}"), "patchType": "JSONPatch"},
            {**patch("[]"), "patchType": "ApplyConfiguration"},
            {**patch("[]"), **apply("Object{}")},
        ]
    ),
    "not an object": _changed(mutations=[apply("{'a': 'b'}"), apply("Object.spec{}"), apply("1")]),
    "not a patch": _changed(mutations=[patch("[1]"), patch("JSONPatch{}"), patch("[]")]),
    "unknown field of a patch": _changed(mutations=[patch("[JSONPatch{operation: 'x'}]")]),
    "mistyped field of a patch": _changed(mutations=[patch("[JSONPatch{op: 1}]")]),
    "a type as a value": _changed(mutations=[apply("type(Object{}) == Object ? Object{} : Object{}")]),
    "unknown type": _changed(mutations=[apply("Objects{}")]),
    "syntax": _changed(mutations=[apply("  Object{")]),
    "unknown variable": _changed(mutations=[apply("Object{a: variables.none}")]),
    "params without a kind": _changed(mutations=[apply("Object{a: params.x}")]),
    "objects in variables": _changed(variables=[{"name": "v", "expression": "Object{}"}]),
    "escapeKey in conditions": _changed(
        matchConditions=[{"name": "c", "expression": "jsonpatch.escapeKey('a') == 'a'"}]
    ),
    "variables in conditions": _changed(
        variables=[{"name": "v", "expression": "true"}], matchConditions=[{"name": "c", "expression": "variables.v"}]
    ),
    "bad variable": _changed(variables=[{"name": "1x", "expression": ""}]),
    "bad param kind": _changed(paramKind={"apiVersion": "a/b/c", "kind": ""}),
    "mixed patch": _changed(mutations=[patch("object.x ? [JSONPatch{op: 'add'}] : [1]")]),
}
BAD_BINDINGS = {
    "nothing": {"metadata": {"name": "bad"}},
    "bad name": {"metadata": {"name": "bad"}, "spec": {"policyName": "A b"}},
    "bad param": {"metadata": {"name": "bad"}, "spec": {"policyName": "p", "paramRef": {}}},
    "deletes": {
        "metadata": {"name": "bad"},
        "spec": {"policyName": "p", "matchResources": {"resourceRules": [rule("configmaps", "", "DELETE")]}},
    },
    "actions": {"metadata": {"name": "bad"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}},
}

_OWN = ("uid", "creationTimestamp", "resourceVersion", "selfLink")


def cleaned(tree: Any) -> Any:
    """An answer without what differs from server to server."""
    if isinstance(tree, list):
        return [cleaned(item) for item in tree]
    if isinstance(tree, dict):
        made = {key: cleaned(value) for key, value in tree.items() if key not in (*_OWN, "time")}
        if isinstance(entries := made.get("managedFields"), list):
            entries.sort(key=lambda entry: entry["manager"])  # by time they may be in any order
        return made
    return re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID", tree) if isinstance(tree, str) else tree

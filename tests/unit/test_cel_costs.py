"""What expressions can cost at most: upstream's own numbers, and what is refused for it.

`cost_answers.json` has rules with the estimates of apiextensions-apiserver v0.34.1 (rule, message expression, how often
the place can be in a request), and definitions with every problem that it finds.
"""

import json
from pathlib import Path

import pytest

from apiserver.cel import schemas
from apiserver.cel.estimates import MOST, worst
from apiserver.cel.sizes import sized
from apiserver.strategies.definitions import spec
from apiserver.structural.rules import compiled_rule

ANSWERS = json.loads((Path(__file__).parent / "cost_answers.json").read_text())
SCHEMA = ANSWERS["schema"]
SIZE = sized(SCHEMA, root=True)


def rule(source, message=""):
    return compiled_rule({"rule": source, "messageExpression": message}, schemas.typed(SCHEMA, root=True), SCHEMA)


def test_estimates_as_upstream_makes_them():
    found = []
    for source, message, *_ in ANSWERS["costs"]:
        made = rule(source, message)
        said = worst(made.message, SIZE) if made.message else 0
        found.append([source, message, worst(made.program, SIZE), said, SIZE.cardinality()])
    assert found == ANSWERS["costs"]


@pytest.mark.parametrize("case", ANSWERS["definitions"], ids=range(len(ANSWERS["definitions"])))
def test_definitions_that_cost_too_much(case):
    assert sorted(map(str, spec.check(case["crd"], case.get("old")))) == case["answer"]


def test_costs_end_at_the_most_that_can_be_counted():
    source = "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a == b && c == d))))"
    assert worst(rule(source).program, SIZE) == MOST


def test_limits_in_the_schema_make_rules_cheap():
    small = {**SCHEMA, "properties": {"l": {"type": "array", "maxItems": 2, "items": {"type": "integer"}}}}
    program = rule("self.l.all(x, self.l.exists(y, y == x))").program
    assert worst(program, sized(small, root=True)) < 100 < worst(program, SIZE)

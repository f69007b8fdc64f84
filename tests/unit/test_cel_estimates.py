"""The worst cost of rules, as apiextensions-apiserver 0.34.1 estimates it over the same schema."""

import contextlib
import json
from pathlib import Path

import pytest

from apiserver.cel import ENVIRONMENT, OBJECT_LIMIT, Budget, BudgetExceeded, EvaluationError, compile
from apiserver.cel.estimates import worst
from apiserver.cel.schemas import typed
from apiserver.cel.sizes import sized

ANSWERS = json.loads(Path(__file__).with_name("cel_estimates.json").read_text())
TYPED = typed(ANSWERS["schema"], root=True)
ENV = ENVIRONMENT.with_variables({"self": TYPED.type})
OBJECT = {
    "s": "abc", "s10": "abc", "en": "abc", "b": "YQ==", "t": "2024-01-01T00:00:00Z", "d": "1s", "i": 1, "n": 1.5, "x": 3,
    "flag": True, "l": ["a", "b"], "l5": ["a"], "li": [1, 2], "ll": [["a"]], "lo": [{"k": "a", "v": 2}], "m": {"a": "b"},
    "m9": {"a": 1}, "o": {"p": "x", "q": [1]}, "metadata": {"name": "a"},
}  # fmt: skip


@pytest.mark.parametrize(("rule", "cost"), ANSWERS["rules"], ids=lambda v: str(v)[:60])
def test_same_estimate_as_upstream(rule, cost):
    assert worst(compile(rule, ENV), sized(ANSWERS["schema"], root=True)) == cost


@pytest.mark.parametrize(("rule", "cost"), ANSWERS["rules"], ids=lambda v: str(v)[:60])
def test_no_run_costs_more_than_its_estimate(rule, cost):
    budget = Budget()
    with contextlib.suppress(EvaluationError, BudgetExceeded):
        compile(rule, ENV).evaluate({"self": TYPED.value(OBJECT)}, budget)
    assert OBJECT_LIMIT - budget.left <= cost + 1  # upstream takes the comparison of two numbers for free, at first


def test_cardinality():
    assert sized(ANSWERS["schema"], root=True).cardinality() == ANSWERS["cardinality"]

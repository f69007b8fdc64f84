"""Every answer cel-go gives in Kubernetes' environment (docs/decisions/0020): compile errors, run-time errors, types, costs."""

import json
from pathlib import Path

import pytest

from apiserver.cel import ENVIRONMENT, OBJECT_LIMIT, Budget, CompileError, EvaluationError, InstantiationError, compile
from apiserver.cel.types import DOUBLE, DYN, INT, STRING, list_of, map_of

ANSWERS = json.loads(Path(__file__).with_name("cel_answers.json").read_text())
VARIABLES = {"self": DYN, "s": STRING, "i": INT, "l": list_of(INT), "m": map_of(STRING, INT), "d": DOUBLE}
VALUES = {
    "self": {
        "a": 1, "l": [1, 2, 3], "n": None, "s": "text", "f": 1.5, "b": True, "m": {"x": 1, "y": "z"},
    },
    "s": "hello",
    "i": 7,
    "l": [1, 2, 3],
    "m": {"x": 1},
    "d": 2.5,
}  # fmt: skip
#: Costs where an error is absorbed: cel-go charges for the failed call, we do not.
ABSORBED = {"1/0 > 1 || true"}


def answer(expression):
    try:
        program = compile(expression, ENVIRONMENT.with_variables(VARIABLES))
    except InstantiationError as wrong:
        return {"program": str(wrong)}
    except CompileError as wrong:
        return {"compile": str(wrong).removeprefix("compilation failed: ")}
    budget = Budget()
    try:
        program.evaluate(VALUES, budget)
    except EvaluationError as wrong:
        return {"error": str(wrong), "type": str(program.type)}
    return {"type": str(program.type), "cost": OBJECT_LIMIT - budget.left}


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: row["e"])
def test_same_answer_as_cel_go(row):
    said = answer(row["e"])
    if "program" in said or "compile" in said:
        assert said.items() <= row.items()
        return
    expected = {k: row[k] for k in ("type", "error", "cost") if k in row}
    if row["e"] in ABSORBED:
        expected["cost"] = said["cost"]
    assert said == expected

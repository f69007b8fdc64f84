"""CEL as Kubernetes v1.34 has it: parser, type checker and evaluator, in plain Python over plain JSON trees.

Use `compile(source, environment, BOOL)` with `ENVIRONMENT.with_variables({...})`, then `program.evaluate({...})`.
`schemas.typed(schema)` makes types and values from an OpenAPI schema; `estimates.worst(program, sizes.sized(schema))`
is the most that one run can cost (`sizes.Sized.cardinality()`: how often it can be in one request).
Why no library does this:
docs/decisions/0020-cel.md. Left out: protocol buffers as values, which no Kubernetes expression sees.
"""

from apiserver.cel.environment import Environment
from apiserver.cel.errors import BudgetExceeded, CompileError, EvaluationError, InstantiationError
from apiserver.cel.kubernetes import ENVIRONMENT
from apiserver.cel.program import OBJECT_LIMIT, OUT_OF_BUDGET, PER_CALL_LIMIT, Budget, Program, compile

__all__ = [
    "ENVIRONMENT",
    "OBJECT_LIMIT",
    "OUT_OF_BUDGET",
    "PER_CALL_LIMIT",
    "Budget",
    "BudgetExceeded",
    "CompileError",
    "Environment",
    "EvaluationError",
    "InstantiationError",
    "Program",
    "compile",
]

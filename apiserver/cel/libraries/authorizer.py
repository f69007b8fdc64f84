"""`authorizer.group('').resource('pods').check('create').allowed()`. Source: apiserver/pkg/cel/library/authz.go.

The question itself is a function of the caller's (`Ask`): this library only gathers what is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apimachinery import names
from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import Opaque


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this user may do this; the service account if one is named, else who made the request."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None  #: namespace and name


@dataclass(frozen=True, slots=True)
class Decision(Opaque):
    allowed: bool
    reason: str = ""
    error: str = ""
    type_name = "kubernetes.authorization.Decision"


Ask = Callable[[Question], Decision]


@dataclass(frozen=True, slots=True)
class Authorizer(Opaque):
    ask: Ask
    service_account: tuple[str, str] | None = None
    type_name = "kubernetes.authorization.Authorizer"


@dataclass(frozen=True, slots=True)
class PathCheck(Opaque):
    ask: Ask
    question: Question
    type_name = "kubernetes.authorization.PathCheck"


@dataclass(frozen=True, slots=True)
class GroupCheck(Opaque):
    ask: Ask
    question: Question
    type_name = "kubernetes.authorization.GroupCheck"


@dataclass(frozen=True, slots=True)
class ResourceCheck(Opaque):
    ask: Ask
    question: Question
    type_name = "kubernetes.authorization.ResourceCheck"


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer.ask, Question("", path=path, service_account=authorizer.service_account))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer.ask, Question("", group=group, service_account=authorizer.service_account))


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.subdomain_name(name, False):
        raise EvaluationError("Invalid service account name")
    if names.label_name(namespace, False):
        raise EvaluationError("Invalid service account namespace")
    return Authorizer(authorizer.ask, (namespace, name))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    return ResourceCheck(check.ask, replace(check.question, resource=resource))


def _narrowed(field: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    return lambda check, value: replace(check, question=_with(check.question, field, value))


def _with(question: Question, field: str, value: str) -> Question:
    changes: Mapping[str, Any] = {field: value}
    return replace(question, **changes)


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    return check.ask(replace(check.question, verb=verb))


def _check_cost(_args: Sequence[Any], _result: Any) -> int:
    return 350_000  # so that an expression can ask twice


def _selector_cost(args: Sequence[Any], _result: Any) -> int:
    size = len(args[1])
    return 10 + -(-size // 10) + -(-size // 2) * 50


_A = "kubernetes.authorization"
LIBRARY: tuple[Overload, ...] = (
    overload(f"{_A}.Authorizer.path(string) -> {_A}.PathCheck", _path),
    overload(f"{_A}.Authorizer.group(string) -> {_A}.GroupCheck", _group),
    overload(f"{_A}.Authorizer.serviceAccount(string, string) -> {_A}.Authorizer", _service_account),
    overload(f"{_A}.GroupCheck.resource(string) -> {_A}.ResourceCheck", _resource),
    overload(f"{_A}.ResourceCheck.subresource(string) -> {_A}.ResourceCheck", _narrowed("subresource")),
    overload(f"{_A}.ResourceCheck.namespace(string) -> {_A}.ResourceCheck", _narrowed("namespace")),
    overload(f"{_A}.ResourceCheck.name(string) -> {_A}.ResourceCheck", _narrowed("name")),
    overload(
        f"{_A}.ResourceCheck.fieldSelector(string) -> {_A}.ResourceCheck", _narrowed("field_selector"), _selector_cost
    ),
    overload(
        f"{_A}.ResourceCheck.labelSelector(string) -> {_A}.ResourceCheck", _narrowed("label_selector"), _selector_cost
    ),
    overload(f"{_A}.PathCheck.check(string) -> {_A}.Decision", _check, _check_cost),
    overload(f"{_A}.ResourceCheck.check(string) -> {_A}.Decision", _check, _check_cost),
    overload(f"{_A}.Decision.errored() -> bool", lambda d: bool(d.error)),
    overload(f"{_A}.Decision.error() -> string", lambda d: d.error),
    overload(f"{_A}.Decision.allowed() -> bool", lambda d: d.allowed),
    overload(f"{_A}.Decision.reason() -> string", lambda d: d.reason),
)

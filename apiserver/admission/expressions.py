"""Expressions of admission: the variables they may use, compiled match conditions, and what their evaluation says.

Source: apiserver/pkg/admission/plugin/cel (compile.go, activation.go), webhook/matchconditions/matcher.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apimachinery import selectors
from apimachinery.types import Json
from apiserver import cel
from apiserver.admission.subject import Form, Subject
from apiserver.cel import ENVIRONMENT, Budget, BudgetExceeded, CompileError, EvaluationError, Program
from apiserver.cel.kubernetes import AUTHORIZER, RESOURCE_CHECK
from apiserver.cel.libraries.authorizer import Authorizer, Decision, Question, ResourceCheck
from apiserver.cel.program import MATCH_CONDITIONS_LIMIT
from apiserver.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Property, Type, list_of, map_of, object_type
from apiserver.request import AUTHENTICATED, Attributes, User
from apiserver.request import Decision as Answer

Authorize = Callable[[Attributes], Answer]


def _object(type_name: str, /, **fields: Type) -> Type:
    return object_type(type_name, {key: Property(key, type) for key, type in fields.items()})


_KIND = _object("kubernetes.GroupVersionKind", group=STRING, version=STRING, kind=STRING)
_RESOURCE = _object("kubernetes.GroupVersionResource", group=STRING, version=STRING, resource=STRING)
_STRINGS = list_of(STRING)
_USER = _object("kubernetes.UserInfo", username=STRING, uid=STRING, groups=_STRINGS, extra=map_of(STRING, _STRINGS))
REQUEST = _object(
    "kubernetes.AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)
_METADATA = _object(
    "kubernetes.NamespaceMetadata",
    name=STRING,
    generateName=STRING,
    namespace=STRING,
    labels=map_of(STRING, STRING),
    annotations=map_of(STRING, STRING),
    UID=STRING,
    creationTimestamp=TIMESTAMP,
    deletionGracePeriodSeconds=INT,
    deletionTimestamp=TIMESTAMP,
    generation=INT,
    resourceVersion=STRING,
    finalizers=_STRINGS,
)
_CONDITION = _object(
    "kubernetes.NamespaceCondition",
    status=STRING,
    type=STRING,
    lastTransitionTime=TIMESTAMP,
    message=STRING,
    reason=STRING,
)
NAMESPACE = _object(
    "kubernetes.Namespace",
    metadata=_METADATA,
    spec=_object("kubernetes.NamespaceSpec", finalizers=_STRINGS),
    status=_object("kubernetes.NamespaceStatus", conditions=list_of(_CONDITION), phase=STRING),
)

REQUEST_RESOURCE = "authorizer.requestResource"
_BASE: dict[str, Type] = {"object": DYN, "oldObject": DYN, "namespaceObject": NAMESPACE, "request": REQUEST}
_AUTHORIZERS: dict[str, Type] = {"authorizer": AUTHORIZER, REQUEST_RESOURCE: RESOURCE_CHECK}


def variables(*, params: bool = False, authorizer: bool = True) -> dict[str, Type]:
    """The variables of an admission expression, with their types."""
    found = dict(_BASE)
    if params:
        found["params"] = DYN
    return {**found, **_AUTHORIZERS} if authorizer else found


@lru_cache(maxsize=512)
def condition(text: str, *, params: bool = False) -> Program:
    """A match condition, compiled. Raises CompileError."""
    return cel.compile(text, ENVIRONMENT.with_variables(variables(params=params)), BOOL)


def asker(subject: Subject, authorize: Authorize | None) -> Callable[[Question], Decision]:
    """What answers an expression's questions about rights: those of the request's user, or of a service account."""

    def ask(question: Question) -> Decision:
        if authorize is None:
            return Decision(allowed=False, reason="no authorizer")
        user = subject.attributes.user
        if question.service_account is not None:
            user = _service_account(*question.service_account)
        answer = authorize(
            Attributes(
                user=user,
                verb=question.verb,
                is_resource=not question.path,
                group=question.group,
                version="*",
                plural=question.resource,
                subresource=question.subresource,
                namespace=question.namespace,
                name=question.name,
                path=question.path,
                field_selector=_pinned(question.field_selector),
            )
        )
        return Decision(answer.allowed, answer.reason)

    return ask


def _pinned(text: str) -> tuple[tuple[str, str], ...]:
    try:
        found = selectors.parse_fields(text).requirements if text else ()
    except ValueError:
        return ()
    return tuple((row.field, row.value) for row in found if row.equal)


def _service_account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def bindings(
    subject: Subject,
    form: Form,
    new: Json | None,
    old: Json | None,
    authorize: Authorize | None,
    *,
    params: Json | None = None,
    namespace: Json | None = None,
) -> dict[str, Any]:
    """The values of the variables; objects are in the form given."""
    ask = asker(subject, authorize)
    own = subject.attributes
    question = Question(
        "",
        group=subject.own.group,
        resource=subject.own.plural,
        subresource=own.subresource,
        namespace=subject.namespace,
        name=subject.name or own.name,
    )
    return {
        "object": new,
        "oldObject": old,
        "params": params,
        "namespaceObject": namespace,  # whose times are texts, whatever their type says: so upstream has it
        "request": subject.request(form),
        "authorizer": Authorizer(ask),
        REQUEST_RESOURCE: ResourceCheck(ask, question),
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What match conditions come to: whether they match, or the error that stops them."""

    matches: bool
    error: str = ""


def judge(conditions: Sequence[Json], values: Mapping[str, Any], *, ignore: bool, params: bool = False) -> Verdict:
    """All conditions must be true. One that is false decides; else an error does, by the failure policy.

    They see no namespace, and the resource that was asked for, even where the object is shown in another version.
    """
    budget = Budget(MATCH_CONDITIONS_LIMIT)
    request = values["request"]
    values = {**values, "namespaceObject": None, "request": {**request, "resource": request["requestResource"]}}
    problems: list[str] = []
    for row in conditions:
        text = row["expression"]
        try:
            if condition(text, params=params).evaluate(values, budget) is False:
                return Verdict(matches=False)
        except CompileError as error:
            problems.append(f"compilation error: {error}")
        except EvaluationError as error:
            problems.append(f"expression '{text}' resulted in error: {error}")
        except BudgetExceeded as error:
            if budget.left < 0:
                return Verdict(matches=False, error="" if ignore else cel.OUT_OF_BUDGET)
            problems.append(f"expression '{text}' resulted in error: {error}")
    if problems and ignore:
        return Verdict(matches=False)
    if problems:
        return Verdict(matches=False, error=problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return Verdict(matches=True)

"""What dynamic admission sees of a request: the operation, the versions the object can be shown in, the options.

A `Form` is a resource with the kind of its objects (`pods/exec` has PodExecOptions). The write path works on the object
in the version stored; `show` gives it in a form, `take` brings a changed one back, defaulted and pruned as upstream
does it after a webhook's patch. Made by resources/reviewing.py; nothing here does I/O.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from apimachinery import errors, schema
from apimachinery.apply import types
from apimachinery.errors import ApiError
from apimachinery.kinds import BY_KIND
from apimachinery.types import Json
from apiserver.request import Attributes

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"
_CONFIGURATION = "admissionregistration.k8s.io"
#: Source: policy/generic/plugin.go, pkg/kubeapiserver/admission/exclusion/resources.go.
_BEYOND_POLICIES = {
    _CONFIGURATION: (
        *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
        *("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
    ),
    "authentication.k8s.io": ("selfsubjectreviews", "tokenreviews"),
    "authorization.k8s.io": (
        *("localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        "subjectaccessreviews",
    ),
}


@dataclass(frozen=True, slots=True)
class Form:
    """One version of the resource, and the kind of the object in it."""

    group: str
    version: str
    plural: str
    kind_group: str
    kind_version: str
    kind: str

    def resource(self) -> Json:
        return {"group": self.group, "version": self.version, "resource": self.plural}

    def object_kind(self) -> Json:
        return {"group": self.kind_group, "version": self.kind_version, "kind": self.kind}

    @property
    def definition(self) -> str | None:
        """The name of the object's definition, None for what is no built-in kind."""
        return schema.definition_of(self.kind_group, self.kind_version, self.kind)


class Annotate(Protocol):
    """Adds an annotation to the audit event; `whole`: only where requests are recorded with their bodies."""

    def __call__(self, key: str, value: str, *, whole: bool = False) -> None: ...


#: To or from a form; awaits where a conversion asks a webhook.
Turn = Callable[[Json, Form], Awaitable[Json]]


async def _unchanged(tree: Json, _form: Form) -> Json:
    return tree


def _built_in(form: Form) -> types.Type | None:
    kind = BY_KIND.get((f"{form.kind_group}/{form.kind_version}".lstrip("/"), form.kind))
    return types.built_in(kind) if kind is not None else None


def _unheard(key: str, value: str, *, whole: bool = False) -> None:  # noqa: ARG001 - as it is called
    return None


def _unspent(_seconds: float) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One request as webhooks and policies see it."""

    attributes: Attributes
    operation: str
    own: Form  #: as it was asked for
    equivalents: Callable[[], Sequence[Form]] = field(default=tuple)  # other versions of the same objects
    options: Json | None = None
    dry_run: bool = False
    show: Turn = _unchanged
    take: Turn = _unchanged
    type_of: Callable[[Form], types.Type | None] = _built_in  #: how objects merge in a form, if that is known
    annotate: Annotate = _unheard
    spend: Callable[[float], None] = _unspent  #: told of the seconds that webhooks took
    #: The object's name, where the request does not say it (a create).
    name: str = ""

    @property
    def subresource(self) -> str:
        return self.attributes.subresource

    @property
    def namespace(self) -> str:
        """The request's namespace; that of a namespace is itself."""
        if self.is_namespace and not self.attributes.namespace:
            return self.name or self.attributes.name
        return self.attributes.namespace

    @property
    def is_namespace(self) -> bool:
        return (self.own.group, self.own.plural) == ("", "namespaces")

    @property
    def is_configuration(self) -> bool:
        """Webhook configurations and policies are never sent to webhooks: a mistake in one could not be mended."""
        return self.own.group == _CONFIGURATION and self.own.kind_group == _CONFIGURATION

    @property
    def is_beyond_policies(self) -> bool:
        """What no policy is about: policies, and the questions that every component asks all the time."""
        return self.own.plural in _BEYOND_POLICIES.get(self.own.group, ())

    async def shown(self, tree: Json | None, form: Form) -> Json | None:
        """The tree in a form, None where there is none."""
        return await self.show(tree, form) if tree is not None else None

    def forbidden(self, new: Json | None, why: str) -> ApiError:
        """403 as admission words it: for an object without a name, by what it is to be called after."""
        meta = (new or {}).get("metadata") or {}
        name = self.attributes.name or meta.get("name") or meta.get("generateName") or "Unknown"
        return errors.forbidden(self.own.group, self.own.plural, name, why)

    def request(self, form: Form) -> Json:
        """AdmissionRequest without uid and objects: what webhooks are sent and `request` is in expressions."""
        user = self.attributes.user
        info: Json = {"username": user.name}
        for key, value in (("uid", user.uid), ("groups", list(user.groups))):
            if value:
                info[key] = value
        if user.extra:
            info["extra"] = {key: list(values) for key, values in user.extra.items()}
        found: Json = {
            "kind": form.object_kind(),
            "resource": form.resource(),
            "requestKind": self.own.object_kind(),
            "requestResource": self.own.resource(),
            "operation": self.operation,
            "userInfo": info,
            "dryRun": self.dry_run,
            "options": self.options,
        }
        if self.subresource:
            found["subResource"] = found["requestSubResource"] = self.subresource
        if self.name or self.attributes.name:
            found["name"] = self.name or self.attributes.name
        if self.namespace:
            found["namespace"] = self.namespace
        return found

"""Nobody reads by a policy what they may not read: who names parameters must be allowed to get them.

Checked for system:masters never, and only when the parameters are new. Upstream makes it a problem of the field.
Source: pkg/registry/admissionregistration/{validating,mutating}admissionpolicy{,binding}/authz.go.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apimachinery.errors import FORBIDDEN_FIELD, FieldError
from apimachinery.types import Json
from apiserver.request import MASTERS, Attributes, Decision, User

_ANY = ("*", "*", "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsGuard:
    """Judges policies and bindings of one sort."""

    authorize: Callable[[Attributes], Decision]
    plural_of: Callable[[str, str], str | None]  #: from apiVersion and kind; None where nothing like it is served
    policy: Callable[[str], Json | None]  #: by name
    #: Upstream's mutating policies have the user and the verb of one message the wrong way round.
    swaps: bool = False

    def of_policy(self, user: User, new: Json, old: Json | None) -> list[FieldError]:
        """What the user may not name in a policy."""
        kind, before = _spec(new).get("paramKind"), _spec(old).get("paramKind")
        if kind is None or kind == before or MASTERS in user.groups:
            return []
        if self._may(user, "get", self._resource(kind), "*", "*"):
            return []
        shown = f"(kind={kind.get('kind', '')}, apiVersion={kind.get('apiVersion', '')})"
        needs = f'must have "get" permission on all objects of the referenced paramKind {shown}'
        return [FieldError("spec.paramKind", FORBIDDEN_FIELD, f"user {_shown(user)} {needs}")]

    def of_binding(self, user: User, new: Json, old: Json | None) -> list[FieldError]:
        """What the user may not name in a binding."""
        spec, before = _spec(new), _spec(old)
        ref, name = spec.get("paramRef"), spec.get("policyName", "")
        is_same = (ref, name) == (before.get("paramRef"), before.get("policyName", ""))
        if ref is None or is_same or MASTERS in user.groups:
            return []
        policy = self.policy(name)
        kind = _spec(policy).get("paramKind")
        verb = "get" if ref.get("name") else "list"
        resource = self._resource(kind) if kind is not None else _ANY
        if self._may(user, verb, resource, ref.get("namespace") or "", ref.get("name") or ""):
            return []
        return [FieldError("spec.paramRef", FORBIDDEN_FIELD, self._lacking(user, verb, name, policy, kind, resource))]

    def _lacking(
        self, user: User, verb: str, name: str, policy: Json | None, kind: Json | None, resource: tuple[str, str, str]
    ) -> str:
        everything = f'user {_shown(user)} does not have "{verb}" permission for all groups, versions and resources'
        if policy is None:
            return f"unable to get policy {name} to determine minimum required permissions and {everything}"
        if kind is not None and resource[2] == "*":
            shown = f"&{{{kind.get('apiVersion', '')} {kind.get('kind', '')}}}"
            return f"unable to resolve paramKind {shown} to determine minimum required permissions and {everything}"
        who, what = (verb, _shown(user)) if self.swaps else (_shown(user), verb)
        return f'user {who} does not have "{what}" permission on the object referenced by paramRef'

    def _resource(self, kind: Json) -> tuple[str, str, str]:
        version = kind.get("apiVersion") or ""
        if version.count("/") > 1:
            return _ANY
        group, _, short = version.rpartition("/")
        return group, short, self.plural_of(version, kind.get("kind") or "") or "*"

    def _may(self, user: User, verb: str, resource: tuple[str, str, str], namespace: str, name: str) -> bool:
        group, version, plural = resource
        question = Attributes(
            user=user, verb=verb, group=group, version=version, plural=plural, namespace=namespace, name=name
        )
        return self.authorize(question).allowed


def _spec(tree: Json | None) -> Json:
    found: Json = (tree or {}).get("spec") or {}
    return found


def _shown(user: User) -> str:
    """A user as Go's `%v` prints one."""
    extra = " ".join(f"{key}:[{' '.join(values)}]" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"

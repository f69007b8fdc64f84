"""Impersonation: who may `impersonate` a user, its groups, uid and extra acts as that user from there on.

Pure: `questions` says what must be allowed, `impersonated` who then asks; the pipeline's stage puts the authorizer in
between (`impersonate`). Source: apiserver/pkg/endpoints/filters/impersonation.go.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from apiserver.authentication.credentials import header_values, headers_below
from apiserver.authentication.groups import service_account_groups, split_service_account
from apiserver.authorization.messages import denied
from apiserver.request import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, Attributes, Decision, User

_GROUP = "authentication.k8s.io"


class Nobody(Exception):
    """The headers name groups, extra or a uid without a user: told in plain text, as upstream does."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the Impersonate-* headers ask for."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] | None = None


def wish(scope: Mapping[str, Any]) -> Wish | None:
    """The headers of a request; None without any. Raises `Nobody` where the user is missing."""
    for name, _ in scope.get("headers") or ():  # of every request: no generator
        if name.startswith(b"impersonate-"):
            break
    else:
        return None
    user = next(iter(header_values(scope, "impersonate-user")), "")
    groups = tuple(header_values(scope, "impersonate-group"))
    uid = next(iter(header_values(scope, "impersonate-uid")), "")
    extra = {unquote(k).lower(): v for k, v in headers_below(scope, "impersonate-extra-").items()}
    if user:
        return Wish(user, groups, uid, extra)
    asked = [f"{{Group  {group}    }}" for group in groups]  # as Go prints the references it made of them
    asked += [f"{{UserExtra  {value}  {_GROUP}/v1  {key}}}" for key, values in extra.items() for value in values]
    asked += [f"{{UID  {uid}  {_GROUP}/v1  }}"] if uid else []
    if asked:
        raise Nobody(f"requested [{' '.join(asked)}] without impersonating a user")
    return None


def questions(asker: User, wanted: Wish) -> list[Attributes]:
    """One question for each part of the identity."""
    account = split_service_account(wanted.user)
    if account is not None:
        first = Attributes(
            user=asker, verb="impersonate", plural="serviceaccounts", namespace=account[0], name=account[1]
        )
    else:
        first = Attributes(user=asker, verb="impersonate", plural="users", name=wanted.user)
    found = [first]
    found += [Attributes(user=asker, verb="impersonate", plural="groups", name=group) for group in wanted.groups]
    for key, values in (wanted.extra or {}).items():
        found += [_extra(asker, key, value) for value in values]
    if wanted.uid:
        found.append(
            Attributes(user=asker, verb="impersonate", group=_GROUP, version="v1", plural="uids", name=wanted.uid)
        )
    return found


def _extra(asker: User, key: str, value: str) -> Attributes:
    return Attributes(
        user=asker, verb="impersonate", group=_GROUP, version="v1", plural="userextras", subresource=key, name=value
    )


def impersonated(wanted: Wish) -> User:
    """The user to go on with. A service account brings its groups, anyone its system:(un)authenticated."""
    groups = wanted.groups
    account = split_service_account(wanted.user)
    if account is not None and not groups:
        groups = service_account_groups(account[0])
    if wanted.user == ANONYMOUS:
        groups = groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(wanted.user, groups, wanted.uid, dict(wanted.extra or {}))


def impersonate(asker: User, scope: Mapping[str, Any], authorize: Callable[[Attributes], Decision]) -> User:
    """Who the request acts as: the asker, or whom it may impersonate. Raises ApiError 403, `Nobody`."""
    wanted = wish(scope)
    if wanted is None:
        return asker
    for question in questions(asker, wanted):
        decision = authorize(question)
        if not decision.allowed:
            raise denied(question, decision.reason)
    return impersonated(wanted)

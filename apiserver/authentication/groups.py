"""The well-known users, groups and extra keys of authentication. Source: apiserver/pkg/authentication/user/user.go."""

from apimachinery import names
from apiserver.request import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

BOOTSTRAPPERS = "system:bootstrappers"
BOOTSTRAP_USER_PREFIX = "system:bootstrap:"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
SERVICE_ACCOUNTS = "system:serviceaccounts"

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"

ANONYMOUS_USER = User(ANONYMOUS, (UNAUTHENTICATED,))


def authenticated(user: User) -> User:
    """The user with system:authenticated, which every known user has."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)


def service_account_name(namespace: str, name: str) -> str:
    """`system:serviceaccount:NS:NAME`."""
    return f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def service_account_groups(namespace: str) -> tuple[str, ...]:
    """The groups every service account of a namespace is in."""
    return (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}")


def split_service_account(username: str) -> tuple[str, str] | None:
    """Namespace and name behind a service account's user name, None for any other user."""
    parts = username.removeprefix(SERVICE_ACCOUNT_PREFIX).split(":")
    if not username.startswith(SERVICE_ACCOUNT_PREFIX) or len(parts) != 2:
        return None
    if names.dns_label(parts[0]) or names.dns_subdomain(parts[1]):
        return None  # neither can be one
    return parts[0], parts[1]

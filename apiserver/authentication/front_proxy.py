"""Front proxies: who proves with a certificate of the requestheader CA to be one may name the user in headers.

Without such a certificate the headers mean nothing. Source: apiserver/pkg/authentication/request/headerrequest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from apiserver.authentication.certificates import ClientCertificates
from apiserver.authentication.credentials import Refused, header_values, headers_below
from apiserver.request import User


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontProxy:
    """The --requestheader-* options. Header names in lower case; no `allowed_names` allows any common name."""

    certificates: ClientCertificates
    allowed_names: frozenset[str] = frozenset()
    username_headers: Sequence[str] = ("x-remote-user",)
    uid_headers: Sequence[str] = ("x-remote-uid",)
    group_headers: Sequence[str] = ("x-remote-group",)
    extra_prefixes: Sequence[str] = ("x-remote-extra-",)

    def identify(self, scope: Mapping[str, Any], der: bytes, now: float) -> User | None:
        """The user that a trusted proxy names; None where it names none. Raises Refused for an untrusted one."""
        proxy = self.certificates.identify(der, now)
        if self.allowed_names and (proxy is None or proxy.name not in self.allowed_names):
            raise Refused(f"x509: subject with cn={proxy.name if proxy else ''} is not in the allowed list")
        names = self._values(scope, self.username_headers)
        if not names:
            return None
        uids = self._values(scope, self.uid_headers)
        return User(
            names[0], tuple(self._values(scope, self.group_headers)), uids[0] if uids else "", self._extra(scope)
        )

    def _values(self, scope: Mapping[str, Any], names: Sequence[str]) -> list[str]:
        return [value for name in names for value in header_values(scope, name) if value]

    def _extra(self, scope: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        extra: dict[str, tuple[str, ...]] = {}
        for prefix in self.extra_prefixes:
            for key, values in headers_below(scope, prefix).items():
                name = unquote(key).lower()
                extra[name] = (*extra.get(name, ()), *values)
        return extra

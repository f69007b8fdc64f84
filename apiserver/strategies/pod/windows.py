"""What a pod says of Windows, in its security contexts. No node runs it, but the objects are judged.

Source: validation.go validateWindowsSecurityContextOptions.
"""

import re

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, invalid

_SPECIFICATION_KIB, _LONGEST_DOMAIN, _LONGEST_USER = 64, 256, 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?", re.ASCII)
_DOTS = re.compile(r"[. ]+")
_NOT_IN_USERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def options(path: str, tree: Json | None) -> Problems:
    """`windowsOptions` of a pod or container."""
    if tree is None:
        return
    name, text, user = (
        tree.get(member) for member in ("gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName")
    )
    if name is not None:
        for message in names.dns_subdomain(name):
            yield invalid(f"{path}.gmsaCredentialSpecName", name, message)
    if text == "":
        yield invalid(f"{path}.gmsaCredentialSpec", text, "gmsaCredentialSpec cannot be an empty string")
    elif text is not None and len(text.encode()) > _SPECIFICATION_KIB * 1024:
        detail = f"gmsaCredentialSpec size must be under {_SPECIFICATION_KIB} KiB"
        yield invalid(f"{path}.gmsaCredentialSpec", text, detail)
    for detail in _user(user) if user is not None else ():
        yield invalid(f"{path}.runAsUserName", user, f"runAsUserName{detail}")


def _user(whole: str) -> list[str]:
    """What is wrong with a user, before whose name a domain and a backslash may stand."""
    if not whole:
        return [" cannot be an empty string"]
    if _CONTROL.search(whole):
        return [" cannot contain control characters"]
    if whole.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, has_domain, user = whole.rpartition("\\")
    length, user_length = len(domain.encode()), len(user.encode())
    found = (
        (length >= _LONGEST_DOMAIN, f"'s Domain length must be under {_LONGEST_DOMAIN} characters"),
        (
            has_domain and not _NET_BIOS.fullmatch(domain) and not _DNS.fullmatch(domain),
            "'s Domain doesn't match the NetBios nor the DNS format",
        ),
        (not user, "'s User cannot be empty"),
        (user_length > _LONGEST_USER, f"'s User length must not be longer than {_LONGEST_USER} characters"),
        (_DOTS.fullmatch(user), "'s User cannot contain only periods or spaces"),
        (_NOT_IN_USERS.search(user), "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"),
    )
    return [detail for is_wrong, detail in found if is_wrong]

"""When two parts of an object mean the same.

Go clients leave out fields at their zero value, so an absent `hostNetwork` and `hostNetwork: false` are one and the
same to upstream, as are `[]`, `{}` and nothing. Fields that upstream keeps as pointers (`runAsUser`,
`allowPrivilegeEscalation`) are different: there an explicit zero says something, and stays.
"""

from typing import Any

#: Fields that upstream does not keep as pointers, so that false and 0 are the same as absent.
_PLAIN = frozenset(
    (
        "failureThreshold", "hostIPC", "hostNetwork", "hostPID", "hostPort", "initialDelaySeconds",
        "minReadySeconds", "periodSeconds", "publishNotReadyAddresses", "readOnly", "stdin", "stdinOnce",
        "successThreshold", "timeoutSeconds", "tty", "unschedulable",
    )
)  # fmt: skip


def same(new: Any, old: Any) -> bool:
    """Equal, with everything that goes without saying left out on both sides."""
    return bool(new == old or _plain(new) == _plain(old))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        members = ((name, _plain(member)) for name, member in value.items())
        return {n: m for n, m in members if not _goes_without_saying(n, m)} or None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] or None
    return None if value == "" else value


def _goes_without_saying(name: str, value: Any) -> bool:
    return value is None or (name in _PLAIN and not value)

"""What each subresource speaks, and which verbs it has: facts of v1.34's discovery documents.

Some speak another kind than their parent's (scale, eviction, token, the connect options). A subresource that is not
listed here, like a custom resource's status, is read and written as its parent's kind.
"""

from dataclasses import dataclass

from apimachinery.kinds import Kind

_WRITE = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource as discovery shows it. `kind` is empty where it speaks its parent's kind."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""

    def of(self, parent: Kind) -> tuple[str, str, str]:
        """Group, version and kind of the body."""
        if not self.kind:
            return parent.group, parent.version, parent.kind
        return self.group, self.version or parent.version, self.kind

    @property
    def foreign(self) -> bool:
        """Whether the body's group and version are not those of the parent: only then discovery names them."""
        return bool(self.version)


_COMMON = (
    Subresource("status", _WRITE),
    Subresource("scale", _WRITE, "Scale", "autoscaling", "v1"),
    Subresource("approval", _WRITE),
    Subresource("ephemeralcontainers", _WRITE),
    Subresource("resize", _WRITE),
    Subresource("finalize", ("update",)),
    Subresource("log", ("get",)),
    Subresource("binding", ("create",), "Binding"),
    Subresource("eviction", ("create",), "Eviction", "policy", "v1"),
    Subresource("token", ("create",), "TokenRequest", "authentication.k8s.io", "v1"),
    Subresource("attach", _CONNECT, "PodAttachOptions"),
    Subresource("exec", _CONNECT, "PodExecOptions"),
    Subresource("portforward", _CONNECT, "PodPortForwardOptions"),
)
_BY_NAME = {subresource.name: subresource for subresource in _COMMON}


def subresource(parent: Kind, name: str) -> Subresource:
    """What `PARENT/NAME` is."""
    if name == "proxy":
        return Subresource(name, _PROXY, f"{parent.kind}ProxyOptions")
    return _BY_NAME.get(name) or Subresource(name, _WRITE)

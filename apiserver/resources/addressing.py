"""What a request is about: its attributes, the namespace and the key of the object that its path names."""

from apiserver.call import Call
from apiserver.registry import Resource
from apiserver.request import Attributes


def attributes_of(call: Call, verb: str = "", name: str = "", *, dry_run: bool = False) -> Attributes:
    """The request as authorizers and admission plugins see it."""
    info = call.target
    return Attributes(
        user=call.asker,
        verb=verb or info.verb,
        group=info.group,
        version=info.version,
        plural=info.plural,
        subresource=info.subresource,
        namespace=info.namespace,
        name=name or info.name,
        path=info.path,
        dry_run=dry_run,
    )


def namespace_of(call: Call, resource: Resource) -> str:
    """The namespace that the object lies in; a namespace itself lies in none."""
    return call.target.namespace if resource.kind.namespaced else ""


def key_of(call: Call, resource: Resource) -> str:
    """Where the object that the path names is stored."""
    return resource.stored.storage_key(namespace_of(call, resource), call.target.name)

"""Which container of a pod a request means, and whether the pod can be reached at all; in upstream's words.

Source: pkg/registry/core/pod/strategy.go.
"""

from apimachinery import errors
from apimachinery.kinds import PODS
from apimachinery.types import Json
from apiserver.request import Lookup

_LISTS = (
    ("containers", ", choose one of: [{}]"),
    ("initContainers", " or one of the init containers: [{}]"),
    ("ephemeralContainers", " or one of the ephemeral containers: [{}]"),
)


def pod_of(namespace: str, name: str, lookup: Lookup) -> Json:
    """The pod; ApiError 404."""
    pod = lookup.get(PODS, namespace, name)
    if pod is None:
        raise errors.not_found("", "pods", name)
    return pod


def node_of(pod: Json) -> str:
    """The pod's node, empty while it has none."""
    return str((pod.get("spec") or {}).get("nodeName") or "")


def container_of(pod: Json, asked: str) -> str:
    """The container meant: the one asked for, or the only one; ApiError 400 otherwise."""
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    names = {key: [container["name"] for container in spec.get(key) or ()] for key, _ in _LISTS}
    if asked:
        if not any(asked in group for group in names.values()):
            raise errors.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names["containers"]) == 1:
        return str(names["containers"][0])
    choices = [text.format(" ".join(names[key])) for key, text in _LISTS if names[key]]
    raise errors.bad_request(f"a container name must be specified for pod {name}{''.join(choices)}")


def require_node(pod: Json) -> str:
    """The pod's node; ApiError 400 while it has none."""
    node = node_of(pod)
    if not node:
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    return node

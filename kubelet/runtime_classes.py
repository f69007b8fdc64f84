"""RuntimeClasses: a pod names one, its handler is the name of an OCI runtime that the Docker Engine knows. Pure.

Source: pkg/kubelet/runtimeclass/runtimeclass_manager.go.
"""

from collections.abc import Callable, Collection

from apimachinery.objects.node_v1 import RuntimeClass


def runtime(name: str, find: Callable[[str], RuntimeClass | None], known: Collection[str]) -> str:
    """The runtime of a class; "" for the engine's default. LookupError in upstream's and the runtime's words."""
    if not name:
        return ""
    found = find(name)
    if found is None:
        raise LookupError(f'runtimeclass.node.k8s.io "{name}" not found')
    if found.handler and found.handler not in known:
        raise LookupError(f'failed to get sandbox runtime: no runtime for "{found.handler}" is configured')
    return found.handler

"""The connect subresources: requests that the API server passes on to kubelets, pods, services and nodes.

The resource core calls one function, after authentication and authorization, for every request with verb `connect`
and for `get pods/log`:

    from apiserver.connect import KubeletClientConfig, connect, handles

    if handles(kind, info.subresource):      # ("pods", log|exec|attach|portforward|proxy), (services|nodes, proxy)
        await connect(request, receive, send, lookup=lookup, kubelet=kubelet)

`request.info` must be filled: plural, namespace, name, subresource, parts (the path behind `proxy`). `lookup` reads
pods, nodes, services and endpoint slices. The function answers the whole request (plain answer, stream or upgrade) by
itself; it raises ApiError only before anything was sent, and that is the caller's to render. It returns when the
connection is over. `KubeletClientConfig` says how kubelets are reached (the --kubelet-* flags). Requests that ask for
an upgrade carry `scope["extensions"]["upgrade"]` (serving.https).
"""

from apiserver.connect.dispatch import connect, handles
from apiserver.connect.kubelets import KubeletClientConfig

__all__ = ["KubeletClientConfig", "connect", "handles"]

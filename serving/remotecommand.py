"""`open_channels`: the channels of an exec or attach request, whichever framing and protocol the client asks for.

SPDY: v4, v3, v2, v1 of channel.k8s.io. WebSocket: v5, v4, v1 and the base64 variants. ApiError is raised before
anything is sent when there is nothing in common.
"""

from contextlib import AbstractAsyncContextManager

from apimachinery.errors import bad_request
from serving.channels import Channels, Wanted
from serving.https import Upgrade
from serving.spdy_channels import spdy_channels
from serving.websocket_channels import websocket_channels


def open_channels(upgrade: Upgrade | None, wanted: Wanted) -> AbstractAsyncContextManager[Channels]:
    """Entering it answers the upgrade, or raises ApiError with nothing sent.

    What fails inside comes out as an exception group: a task reads the connection beside the caller's.
    """
    if upgrade is None:
        raise bad_request("Upgrade request required")
    if upgrade.protocol == "websocket":
        return websocket_channels(upgrade, wanted)
    if upgrade.protocol == "spdy/3.1":
        return spdy_channels(upgrade, wanted)
    raise bad_request(f'unable to upgrade: missing upgrade headers in request: "{upgrade.protocol}"')

"""Lifecycle hooks: postStart and preStop. Source: pkg/kubelet/lifecycle/handlers.go."""

import asyncio
import json

from apimachinery.objects import core_v1
from kubelet.handlers import Handlers, Unresolved

_HTTP_PATIENCE = 30.0
_NO_LIMIT = 24 * 3600.0  # a command has the time that the pod's grace period leaves it


class HookProblem(Exception):
    """The hook failed; the message says how."""


async def run_hook(
    handlers: Handlers,
    container: core_v1.Container | core_v1.EphemeralContainer,
    hook: core_v1.LifecycleHandler,
    *,
    id: str,
    address: str,
    pod: str = "",
) -> None:
    """Run to the end; raises HookProblem."""
    where = f'for Container "{container.name}" in Pod "{pod}"'
    try:
        if hook.exec:
            passed, output = await handlers.command(id, hook.exec.command, _NO_LIMIT)
            message = (
                f"Exec lifecycle hook ([{' '.join(hook.exec.command)}]) {where} failed - message: {json.dumps(output)}"
            )
        elif hook.http_get:
            passed, message = await handlers.get(container, hook.http_get, address=address, patience=_HTTP_PATIENCE)
            message = f"HTTP lifecycle hook ({hook.http_get.path}) {where} failed - error: {message}"
        elif hook.tcp_socket:
            passed, message = await handlers.connect(
                container, hook.tcp_socket, address=address, patience=_HTTP_PATIENCE
            )
        elif hook.sleep:
            await asyncio.sleep(hook.sleep.seconds or 0)
            return
        else:
            return
    except Unresolved as error:
        raise HookProblem(str(error)) from error
    if not passed:
        raise HookProblem(message)

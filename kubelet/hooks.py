"""Lifecycle hooks: postStart and preStop. Source: pkg/kubelet/lifecycle/handlers.go."""

import asyncio
import json

from apimachinery.objects import core_v1
from kubelet.handlers import Handlers, Unresolved, port_number

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
) -> str:
    """Run to the end; raises HookProblem. What there is to tell of it (an event LifecycleHTTPFallback), or ""."""
    where = f'for Container "{container.name}" in Pod "{pod}"'
    try:
        if hook.exec:
            passed, output = await handlers.command(id, hook.exec.command, _NO_LIMIT)
            message = f"Exec lifecycle hook ([{' '.join(hook.exec.command)}]) {where} failed"
            message += f" - error: command exited with a failure, message: {json.dumps(output)}"
        elif hook.http_get:
            action = hook.http_get
            passed, message, plain = await handlers.notify(container, action, address=address, patience=_HTTP_PATIENCE)
            message = f"HTTP lifecycle hook ({action.path}) {where} failed - error: {message}"
            if plain:
                host = f"{action.host or address}:{port_number(container, action.port)}"
                return f"request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded"
        elif hook.sleep:
            await asyncio.sleep(hook.sleep.seconds or 0)
            return ""
        else:
            return ""  # tcpSocket is no lifecycle hook: upstream kept the field, and nothing runs it
    except Unresolved as error:
        raise HookProblem(str(error)) from error
    if not passed:
        raise HookProblem(message)
    return ""

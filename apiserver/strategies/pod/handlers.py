"""Probes and lifecycle hooks. Source: validation.go validateProbe, validateHandler, validateLifecycle."""

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, forbidden, invalid, non_negative, port_or_name, required

_ACTIONS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_TIMINGS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SCHEMES = ("HTTP", "HTTPS")


def probe(path: str, tree: Json | None) -> Problems:
    """What holds for each of the three probes."""
    if tree is None:
        return
    yield from _handler(path, tree, ("exec", "httpGet", "tcpSocket", "grpc"))
    for name in _TIMINGS:
        yield from non_negative(f"{path}.{name}", tree.get(name))
    grace = tree.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def only_one_success(path: str, tree: Json | None) -> Problems:
    """Liveness and startup probes succeed at the first success."""
    if tree is not None and tree.get("successThreshold", 1) != 1:
        yield invalid(f"{path}.successThreshold", tree["successThreshold"], "must be 1")


def readiness(path: str, tree: Json | None) -> Problems:
    yield from probe(path, tree)
    if tree is not None and tree.get("terminationGracePeriodSeconds") is not None:
        grace = tree["terminationGracePeriodSeconds"]
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")


def lifecycle(path: str, tree: Json | None, grace: int | None) -> Problems:
    """`postStart` and `preStop`; a sleep fits into the pod's grace period."""
    for name in ("postStart", "preStop"):
        action = (tree or {}).get(name)
        if action is None:
            continue
        yield from _handler(f"{path}.{name}", action, ("exec", "httpGet", "tcpSocket", "sleep"))
        sleep = action.get("sleep")
        if sleep is None or grace is None or any(action.get(other) is not None for other in _ACTIONS[:-1]):
            continue
        seconds = sleep.get("seconds", 0)
        if not 0 <= seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid(f"{path}.{name}.sleep", seconds, detail)
    if (tree or {}).get("stopSignal") is not None:
        yield from _stop_signal(path, (tree or {})["stopSignal"])


def _stop_signal(path: str, signal: str) -> Problems:
    if not signal.startswith("SIG"):
        yield not_supported(f"{path}.stopSignal", signal, ())


def _handler(path: str, tree: Json, allowed: tuple[str, ...]) -> Problems:
    chosen = [name for name in _ACTIONS if tree.get(name) is not None and name in allowed]
    if not chosen:
        yield required(path, "must specify a handler type")
    if chosen:
        yield from _ACTION_CHECKS[chosen[0]](f"{path}.{chosen[0]}", tree[chosen[0]])
    for name in chosen[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def _exec(path: str, action: Json) -> Problems:
    if not action.get("command"):
        yield required(f"{path}.command")


def _http_get(path: str, action: Json) -> Problems:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from port_or_name(f"{path}.port", action.get("port", 0))
    if action.get("scheme", "") not in _SCHEMES:
        yield not_supported(f"{path}.scheme", action.get("scheme", ""), _SCHEMES)
    for header in action.get("httpHeaders") or ():
        for message in names.http_header_name(header.get("name", "")):
            yield invalid(f"{path}.httpHeaders", header.get("name", ""), message)


def _tcp_socket(path: str, action: Json) -> Problems:
    yield from port_or_name(f"{path}.port", action.get("port", 0))


def _grpc(path: str, action: Json) -> Problems:
    value = action.get("port", 0)
    if not 1 <= value <= 65535:
        yield invalid(f"{path}.port", value, "must be between 1 and 65535, inclusive")


def _sleep(_path: str, _action: Json) -> Problems:
    yield from ()  # its length is compared with the grace period by `lifecycle`


_ACTION_CHECKS = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket, "grpc": _grpc, "sleep": _sleep}

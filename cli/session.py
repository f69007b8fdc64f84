"""One command's connection to the cluster, and how failures look: kubectl's words on stderr and its exit code 1."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import typer

from apimachinery.errors import ApiError
from apimachinery.types import Json
from cli.flags import Globals, UsageError
from client.client import Client, Unreachable
from client.config import ClientConfig, ConfigError, load, load_kubeconfig

_globals = Globals()


def global_flags() -> Globals:
    """The global flags of this process."""
    return _globals


def configure(flags: Globals) -> None:
    """Remembers the global flags of this process; called once, by main."""
    global _globals  # noqa: PLW0603  (a command line has one set of global flags)
    _globals = flags


@dataclass(frozen=True, slots=True)
class Session:
    """A client and the namespace that the command works in. `explicit`: the user said -n."""

    client: Client
    namespace: str
    explicit: bool
    headers: Mapping[str, str]

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float | None = None,  # noqa: ASYNC109  (passed on to the client)
    ) -> httpx.Response:
        """A request; warnings of the server go to stderr as kubectl shows them."""
        headers = {"Accept": accept, **self.headers}
        if body:
            headers["Content-Type"] = content_type
        response = await self.client.request(method, path, query=query, body=body, headers=headers, timeout=timeout)
        for warning in response.headers.get_list("warning"):
            print(f"Warning: {warning.split(chr(34))[1] if chr(34) in warning else warning}", file=sys.stderr)
        return response

    async def get_json(self, path: str, query: Mapping[str, Any] | None = None) -> Json:
        """The JSON object at a path."""
        tree: Json = (await self.call("GET", path, query=query)).json()
        return tree


def configuration(flags: Globals | None = None) -> ClientConfig:
    """The server and identity that the flags, the environment and the kubeconfig name."""
    flags = flags or _globals
    if flags.kubeconfig or flags.context:
        config = load_kubeconfig(flags.kubeconfig, flags.context)
    else:
        config = load()
    changes: dict[str, Any] = {}
    if flags.server:
        changes["server"] = flags.server
    if flags.cluster or flags.user or flags.username or flags.password:
        message = "--cluster, --user, --username and --password are not available in pykubectl; use --context"
        raise UsageError(message)
    if flags.certificate_authority:
        changes["ca_data"] = Path(flags.certificate_authority).read_bytes()
    if flags.client_certificate:
        changes |= {"cert_data": b"", "cert_file": flags.client_certificate}
    if flags.client_key:
        changes |= {"key_data": b"", "key_file": flags.client_key}
    if flags.tls_server_name:
        changes["tls_server_name"] = flags.tls_server_name
    if flags.token:
        changes |= {
            "token": flags.token,
            "token_file": "",
            "cert_data": b"",
            "key_data": b"",
            "cert_file": "",
            "key_file": "",
        }
    if flags.insecure:
        changes |= {"insecure": True, "ca_data": b""}
    return replace(config, **changes)


@asynccontextmanager
async def session() -> AsyncIterator[Session]:
    """The connection for one command."""
    config = configuration()
    headers = {"Impersonate-User": _globals.impersonate} if _globals.impersonate else {}
    if _globals.impersonate_uid:
        headers["Impersonate-Uid"] = _globals.impersonate_uid
    # One line for each group: names of headers know no case, names in a mapping do.
    name = "Impersonate-Group"
    headers |= {name[:i] + name[i:].swapcase(): group for i, group in enumerate(_globals.impersonate_groups)}
    async with Client(config, user_agent="pykubectl/v1.34.0") as client:
        yield Session(client, _globals.namespace or config.namespace, bool(_globals.namespace), headers)


def run(work: Callable[[Session], Coroutine[Any, Any, int | None]]) -> None:
    """Runs a command's work and ends the process with its exit code."""

    async def inside() -> int:
        async with session() as connection:
            return await work(connection) or 0

    raise typer.Exit(guarded(lambda: asyncio.run(inside())))


def guarded(work: Callable[[], int]) -> int:
    """The exit code of `work`; failures that a user can understand become one line on stderr."""
    try:
        return work()
    except ApiError as error:
        print(explain(error), file=sys.stderr)
    except (UsageError, ConfigError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def while_doing(error: ApiError, doing: str) -> ApiError:
    """The same refusal with what was being done before its text."""
    if isinstance(error, Unreachable):
        return error
    return replace(error, message=f"{doing} {error.message}")


def explain(error: ApiError) -> str:
    """A refusal of the server as kubectl prints it (kubectl/pkg/cmd/util/helpers.go)."""
    if isinstance(error, Unreachable):
        server = configuration().server.split("//")[-1]
        return f"The connection to the server {server} was refused - did you specify the right host or port?"
    if error.reason == "Unauthorized":
        return f"error: You must be logged in to the server ({error.message})"
    if error.reason == "Invalid":
        return _invalid(error)
    return (
        f"Error from server ({error.reason}): {error.message}"
        if error.reason
        else f"Error from server: {error.message}"
    )


def _invalid(error: ApiError) -> str:
    kind, name = error.details.get("kind", ""), error.details.get("name", "")
    causes = error.details.get("causes") or []
    text = f'The {kind} "{name}" is invalid' if kind or name else "The request is invalid"
    if not (kind or name) and not causes and error.message:
        return f"{text}: {error.message}"
    texts = list(dict.fromkeys(f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes))
    if len(texts) == 1:
        return f"{text}: {texts[0]}"
    return "\n".join([f"{text}: ", *(f"* {each}" for each in texts)]) if texts else text

"""/logs/: the files below the node's folder of logs, and lists of its folders, as Go's file server shows them.

Links are followed, as there: who may read a node's logs is a question of rights (nodes/log), not of paths; `..` never
leads out of the folder. What is neither file nor folder is not there.
Source: pkg/kubelet/kubelet.go (logServer), net/http's FileServer.
"""

import errno
import html
import mimetypes
import os
import posixpath
import stat
from pathlib import Path
from urllib.parse import quote

from apimachinery.errors import ApiError
from kubelet.threads import in_thread
from serving.asgi import Receive, Scope, Send, reply, start

_PAGE = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{}</pre>\n'
_ENTITIES = {"&#x27;": "&#39;", "&quot;": "&#34;"}  # as Go writes them
_FORBIDDEN = ApiError(403, "Forbidden", "403 Forbidden")
_INDEX = "index.html"


async def serve_files(root: Path, asked: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what `asked`, a path below the root, is. ApiError where it is not there or not ours to read."""
    if asked.endswith("/" + _INDEX):
        return await _move(scope, send, "./")
    path = root / posixpath.normpath("/" + asked).lstrip("/")
    try:
        mode = (await in_thread(path.stat)).st_mode
        if stat.S_ISDIR(mode):
            await _folder(path, asked, scope, receive, send)
        elif not stat.S_ISREG(mode):
            raise _not_there()
        elif asked.endswith("/"):
            await _move(scope, send, "../" + quote(path.name))
        else:
            await _file(path, scope, receive, send)
    except PermissionError:
        raise _FORBIDDEN from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise ApiError(500, "InternalError", "500 Internal Server Error") from error
        raise _not_there() from None


async def _folder(path: Path, asked: str, scope: Scope, receive: Receive, send: Send) -> None:
    if asked and not asked.endswith("/"):
        await _move(scope, send, quote(path.name) + "/")
    elif await in_thread((path / _INDEX).is_file):
        await _file(path / _INDEX, scope, receive, send)
    else:
        page = _PAGE.format("".join(map(_link, await in_thread(_names, path))))
        await reply(send, 200, page.encode("utf-8", "surrogateescape"), "text/html; charset=utf-8")


async def _file(path: Path, scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.responses import FileResponse  # noqa: PLC0415 - only who is asked for files pays for it

    guessed, packed = mimetypes.guess_type(path.name)
    kind = "application/octet-stream" if packed else guessed or "text/plain"
    await FileResponse(path, media_type=kind, stat_result=await in_thread(path.stat))(scope, receive, send)


async def _move(scope: Scope, send: Send, place: str) -> None:
    query = scope.get("query_string", b"").decode("latin-1")
    await start(send, 301, [("location", place + (f"?{query}" if query else "")), ("content-length", "0")])
    await send({"type": "http.response.body", "body": b""})


def _names(path: Path) -> list[str]:
    """By name; folders with a slash, links to folders without one."""
    with os.scandir(path) as found:
        return [one.name + "/" * one.is_dir(follow_symlinks=False) for one in sorted(found, key=lambda one: one.name)]


def _link(name: str) -> str:
    address = quote(name, errors="surrogateescape", safe="/$&+,:;=@!'()*")
    if ":" in name.split("/", maxsplit=1)[0]:
        address = "./" + address  # else it would be a scheme
    return f'<a href="{_escaped(address)}">{_escaped(name)}</a>\n'


def _escaped(text: str) -> str:
    text = html.escape(text)
    for ours, theirs in _ENTITIES.items():
        text = text.replace(ours, theirs)
    return text


def _not_there() -> ApiError:
    return ApiError(404, "NotFound", "404 page not found")

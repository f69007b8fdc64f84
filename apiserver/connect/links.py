"""Links in what a backend answers, made to stay within the proxy: Location headers, and URLs in HTML.

Only paths from the root on need it, of the backend itself or of no host: `/style.css` becomes
`/api/v1/namespaces/NS/pods/NAME/proxy/style.css`. All else of a page stays byte for byte; URLs in scripts and style
sheets are not seen. Pure. Source: apimachinery/pkg/util/proxy/transport.go.
"""

import html
import zlib
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import accumulate
from posixpath import normpath
from urllib.parse import urlsplit, urlunsplit

Rewrite = Callable[[str], str]

#: The attributes that hold a URL, by element.
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
#: How zlib calls the encodings of a body that can be read.
_WINDOW_BITS = {"gzip": 31, "deflate": -15}


def link_rewriter(backend: str, asked: str, prefix: str) -> Rewrite:
    """Rewrites one URL. `backend` is the backend's host, `asked` that of the client, `prefix` the proxy's path."""

    def rewrite(url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if parts.netloc not in ("", backend, asked) or not parts.path.startswith("/"):
            return url
        if not asked or parts.netloc != asked:
            parts = parts._replace(scheme="", netloc="")
        if not parts.path.startswith(prefix):
            slash = "/" if parts.path.endswith("/") and parts.path != "/" else ""
            path = normpath(f"{prefix}/{parts.path.lstrip('/')}")
            parts = parts._replace(path=path + (slash or "/" * (parts.path == "/")))
        return urlunsplit(parts)

    return rewrite


def page(body: bytes, encoding: str, rewrite: Rewrite) -> bytes | None:
    """An HTML body with its links rewritten, encoded as it was; None where it cannot be read."""
    if not encoding:
        return _rewritten(body, rewrite)
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        return None
    try:
        plain = zlib.decompress(body, bits)
    except zlib.error:
        return None
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(_rewritten(plain, rewrite)) + packer.flush()


def _rewritten(body: bytes, rewrite: Rewrite) -> bytes:
    text = body.decode("utf-8", "surrogateescape")
    reader = _Tags(text)
    parts, done = [], 0
    for start, tag in reader.found:
        parts += [text[done:start], _with_links(tag, rewrite)]
        done = start + len(tag.text)
    return "".join((*parts, text[done:])).encode("utf-8", "surrogateescape")


class _Tag:
    """A start tag as it stands in the page."""

    __slots__ = ("attributes", "name", "text")

    def __init__(self, name: str, attributes: list[tuple[str, str | None]], text: str) -> None:
        self.name, self.attributes, self.text = name, attributes, text

    def urls(self) -> Iterator[str]:
        wanted = _ATTRIBUTES.get(self.name, ())
        return (value for name, value in self.attributes if name in wanted and value)


class _Tags(HTMLParser):
    """The start tags of a page that may hold URLs, with their places in it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, _Tag]] = []
        self._lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line, column = self.getpos()
        text = self.get_starttag_text()
        if tag in _ATTRIBUTES and text:
            self.found.append((self._lines[line - 1] + column, _Tag(tag, attrs, text)))


def _with_links(tag: _Tag, rewrite: Rewrite) -> str:
    """The tag written anew where a URL changes, else as it was."""
    if all(rewrite(url) == url for url in tag.urls()):
        return tag.text
    wanted = _ATTRIBUTES[tag.name]
    words = [tag.name]
    for name, value in tag.attributes:
        shown = rewrite(value) if value and name in wanted else value
        words.append(name if shown is None else f'{name}="{html.escape(shown)}"')
    return f"<{' '.join(words)}{'/' if tag.text.endswith('/>') else ''}>"

"""One answer for each discovery path, built when it is first asked for and kept compressed.

`Discovery.document(path, accept)` is what the dispatcher below /api and /apis calls; `Discovery.respond` adds what a
browser's cache needs (ETag, Cache-Control, gzip). `serve` swaps the served kinds when a CRD comes or goes; documents
of group versions that did not change are kept. `aggregate` tells what extension servers serve. Not for several threads
at once, but for `respond` in a worker thread.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs

import msgspec

from apimachinery import yaml_writer
from apimachinery.errors import ApiError, not_acceptable
from apimachinery.kinds import KINDS, Kind
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.authentication.oidc import CACHE_CONTROL
from apiserver.discovery import aggregated, documents, gnostic, merging, openapi_v2, openapi_v3
from apiserver.discovery import definitions as defs
from apiserver.discovery.operations import OTHERS, of_group, of_version
from apiserver.discovery.served import Foreign, Groups, Listed, by_group, listed, root_paths
from apiserver.negotiation import (
    JSON,
    MEDIA_TYPES,
    PROTOBUF,
    YAML,
    accepted_discovery,
    accepted_for_errors,
    media_type_of,
    no_representation,
    passes_router,
)
from apiserver.status_bodies import status_body
from serving.version import version_info

_FRESH = "no-cache, private"
_FOREVER = "public, immutable"
_YEAR = 365 * 24 * 3600
_V2 = "/openapi/v2"
_V3 = "/openapi/v3"
#: The name of v2's protobuf, and the one that it had when "@" was thought to be allowed there.
_V2_PROTOBUF = (gnostic.MEDIA_TYPE, gnostic.MEDIA_TYPE.replace(".v2.v1.0", ".v2@v1.0"))


@dataclass(frozen=True)
class Schemas:
    """A custom resource's schema, as each OpenAPI version writes it."""

    v2: Json
    v3: Json

    @cached_property
    def mark(self) -> bytes:
        """Changes with the schema."""
        return hashlib.sha256(msgspec.json.encode(self.v3)).digest()


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished document. Small ones are kept as they are: compressing them gains nothing."""

    data: bytes
    compressed: bool
    media_type: str
    etag: str

    def body(self) -> bytes:
        """The document itself."""
        return gzip.decompress(self.data) if self.compressed else self.data


#: What upstream's router lets pass below these roots.
_PRODUCED = {"version": (JSON,), "api": MEDIA_TYPES, "apis": MEDIA_TYPES}
_LIKE_JSON = (JSON, "application/*", "*/*")
_LISTS = ("/api", "/apis")
_TEXT = "text/plain; charset=utf-8"  # what Go makes of a document whose type nobody says


@dataclass(frozen=True, slots=True)
class Response:
    """What to send."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class Discovery:
    """The documents about `kinds`.

    `address` is the server's own (HOST:PORT); `fixed` holds documents of others by path (the OIDC ones).
    """

    kinds: Sequence[Kind] = KINDS
    address: str = ""
    schemas: Mapping[defs.GroupVersionKind, Schemas] = field(default_factory=dict)
    fixed: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)
    load: Callable[[], Mapping[str, Json]] = defs.load
    with_enums: bool = True  # in OpenAPI
    with_hashes: bool = True  # of the versions stored, in lists of resources
    others: Sequence[str] = ()  # paths of no document that `/` lists too: health checks
    groups: Groups = field(init=False)
    foreign: Sequence[Foreign] = ()
    aggregations: int = 0  # how often the one document of all groups was made
    listed: Listed = field(init=False)
    hashes: dict[str, str] = field(init=False, default_factory=dict)
    _kept: dict[tuple[str, str], Stored] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.serve(self.kinds, self.schemas)

    def serve(self, kinds: Sequence[Kind], schemas: Mapping[defs.GroupVersionKind, Schemas]) -> None:
        """Serves these kinds from now on."""
        self.kinds, self.schemas, self.groups = kinds, schemas, by_group(kinds)
        self.listed = listed(self.groups, self.foreign)
        before, self.hashes = self.hashes, self._hashes()
        same = {f"{_V3}/{name}" for name, value in self.hashes.items() if before.get(name) == value}
        self._kept = {key: stored for key, stored in self._kept.items() if key[0] in same}

    def aggregate(self, foreign: Sequence[Foreign]) -> None:
        """Lists these group versions of extension servers from now on; their own documents are asked of them."""
        if list(foreign) == list(self.foreign):
            return
        self.foreign, self.listed = foreign, listed(self.groups, foreign)
        self._kept = {key: kept for key, kept in self._kept.items() if key[0].startswith(f"{_V3}/")}

    def document(self, path: str, accept: str = "") -> tuple[bytes, str] | None:
        """Body and media type of the document at a path; None where there is none."""
        stored = self._stored(path, accept)
        return (stored.body(), stored.media_type) if stored else None

    def is_near(self, path: str) -> bool:
        """Whether a path that leads nowhere is below a group that there is: upstream says 404 with a Status there."""
        match _normal(path).split("/"):
            case ["", "api", _]:
                return True
            case ["", "apis", group, _]:
                return group in self.groups
        return False

    def respond(self, path: str, headers: Mapping[str, str], query: str = "") -> Response | None:
        """The whole answer to a GET. Header names in lower case; None where no document is."""
        normal = _normal(path)
        if (name := normal.removeprefix(f"{_V3}/")) in self.hashes and name != normal:
            asked = parse_qs(query).get("hash", [""])[0]
            if asked and asked != self.hashes[name]:
                return Response(301, (("location", f"{_V3}/{name}?hash={self.hashes[name]}"),))
        else:
            asked = ""
        if (refusal := _refused(normal, headers.get("accept", ""))) is not None:
            body, media_type = status_body(refusal, headers.get("accept", ""))
            return Response(406, (("content-type", media_type),), body)
        is_document = normal == _V2 or (normal.startswith(f"{_V3}/") and name in self.hashes)
        if is_document and not _takes_document(headers.get("accept", ""), with_protobuf=normal == _V2):
            return Response(406, (("vary", "Accept"), ("cache-control", _FRESH)))
        stored = self._stored(path, headers.get("accept", ""))
        if stored is None:
            return None
        varies = (normal.startswith("/openapi/") and normal != _V3) or ";as=" in stored.media_type
        base = [("etag", stored.etag), *([("vary", "Accept")] if varies else [])]
        if normal in self.fixed:
            base.append(("cache-control", CACHE_CONTROL))
        else:
            base += _caching(public=";as=" in stored.media_type, forever=bool(asked))
        if stored.etag in headers.get("if-none-match", ""):
            return Response(304, tuple(base))
        base.append(("content-type", _TEXT if normal == _V3 else stored.media_type))
        if stored.compressed and "gzip" in headers.get("accept-encoding", ""):
            return Response(200, (*base, ("content-encoding", "gzip")), stored.data)
        return Response(200, tuple(base), stored.body())

    def _stored(self, path: str, accept: str) -> Stored | None:
        path = _normal(path)
        media_type = self._media_type(path, accept)
        kept = self._kept  # what was built from kinds that are served no more by then is not kept
        stored = kept.get((path, media_type))
        if stored is None and (body := self._built(path, media_type)) is not None:
            stored = _keep(body, self.fixed[path][1] if path in self.fixed else media_type, self._etag(path))
            kept[path, media_type] = stored
        return stored

    def _media_type(self, path: str, accept: str) -> str:
        if path in _LISTS and (best := accepted_discovery(accept)) is not None and best.transform:
            return aggregated.media_type(best.media_type)
        if path.split("/")[1] in ("api", "apis"):
            accepted = accepted_for_errors(accept)
            return accepted.media_type if accepted is not None else JSON
        if path == _V2 and "proto-openapi.spec.v2" in accept:
            return gnostic.MEDIA_TYPE
        return JSON

    def _etag(self, path: str) -> str:
        return self.hashes.get(path.removeprefix(f"{_V3}/"), "") if path.startswith(f"{_V3}/") else ""

    def _built(self, path: str, media_type: str) -> bytes | None:
        if path in self.fixed:
            return self.fixed[path][0]
        if path == _V2:
            return self._openapi_v2(media_type)
        tree = self._openapi_v3(path) if path.startswith(_V3) else self._tree(path, media_type)
        if tree is None:
            return None
        form = media_type.partition(";")[0]
        if form == PROTOBUF:
            return protobuf.encode({**tree, "apiVersion": tree.get("apiVersion", "")})
        if form == YAML:
            return yaml_writer.dumped(tree)
        data = msgspec.json.encode(tree)
        return msgspec.json.format(data, indent=2) if path in ("/", "/version") else data

    def _tree(self, path: str, media_type: str) -> Json | None:
        match path.strip("/").split("/"):
            case [""]:
                return {"paths": list(root_paths(self.listed, self.others))}
            case ["version"]:
                return version_info()
            case ["api" | "apis" as root]:
                return self._root(root, media_type)
            case ["apis", group] if group and group in self.listed:
                return documents.api_group(group, list(self.listed[group]))
            case ["api", version]:
                return self._resources("", version)
            case ["apis", group, version] if group:
                return self._resources(group, version)
        return None

    def _root(self, root: str, media_type: str) -> Json:
        chosen = {g: v for g, v in self.listed.items() if bool(g) == (root == "apis")}
        if ";as=" in media_type:
            self.aggregations += 1
            return aggregated.group_discovery_list(chosen)
        if root == "apis":
            return documents.api_group_list(chosen)
        return documents.api_versions(list(chosen.get("", ())), self.address)

    def _resources(self, group: str, version: str) -> Json | None:
        kinds = self.groups.get(group, {}).get(version)
        if not kinds:
            return None
        name = f"{group}/{version}" if group else version
        tree = documents.api_resource_list(name, kinds, hashes=self.with_hashes)
        return tree if group else {name: value for name, value in tree.items() if name != "apiVersion"}  # as upstream

    def _hashes(self) -> dict[str, str]:
        absent = {name for name in OTHERS if "openid" in name and f"/{name}" not in self.fixed}
        built_in = {f"apis/{group}" for group in self.groups if group} - {f"apis/{gvk[0]}" for gvk in self.schemas}
        found = {name: openapi_v3.content_hash([], name.encode()) for name in {*OTHERS, *built_in} - absent}
        marks: dict[tuple[str, str], bytes] = {}
        for group, version, kind in sorted(self.schemas):
            marks[group, version] = marks.get((group, version), b"") + self.schemas[group, version, kind].mark
        for group, versions in self.groups.items():
            for version, kinds in versions.items():
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                found[name] = openapi_v3.content_hash(kinds, marks.get((group, version), b""))
        return dict(sorted(found.items()))

    def _custom(self, group: str, version: str) -> list[defs.GroupVersionKind]:
        return sorted(gvk for gvk in self.schemas if gvk[:2] == (group, version))

    def _openapi_v3(self, path: str) -> Json | None:
        if path == _V3:
            index = openapi_v3.index(self.hashes)
            theirs = {f"apis/{row.group}/{row.version}": row.openapi_v3 for row in self.foreign if row.openapi_v3}
            return {"paths": dict(sorted({**index["paths"], **theirs}.items()))}
        name = path.removeprefix(f"{_V3}/")
        return self._document(name) if name in self.hashes else None

    def _document(self, name: str) -> Json:
        """One of OpenAPI v3's documents."""
        if name in OTHERS:
            return openapi_v3.document((), self.load(), others=(OTHERS[name],))
        root, *rest = name.split("/")
        if root == "apis" and len(rest) == 1:
            return openapi_v3.document((), self.load(), others=(of_group(rest[0]),))
        group, version = rest if root == "apis" else ("", rest[0])
        extra = {gvk: self.schemas[gvk].v3 for gvk in self._custom(group, version)}
        others = () if extra else (of_version(group, version),)
        return openapi_v3.document(
            self.groups[group][version], self.load(), extra, enums=self.with_enums, others=others
        )

    def _openapi_v2(self, media_type: str) -> bytes:
        extra = {gvk: schemas.v2 for gvk, schemas in self.schemas.items()}
        custom = {gvk[0] for gvk in self.schemas}
        groups = {group: versions for group, versions in self.groups.items() if group not in custom}
        others = [path for name, path in OTHERS.items() if name in self.hashes]
        others += [of_group(group) for group in groups if group]
        others += [of_version(group, version) for group, versions in groups.items() for version in versions]
        tree = openapi_v2.document(self.kinds, self.load(), extra, enums=self.with_enums, others=others)
        tree = merging.merge_v2(tree, [row.openapi_v2 for row in self.foreign if row.openapi_v2])
        return gnostic.encode(tree) if media_type == gnostic.MEDIA_TYPE else msgspec.json.encode(tree)


def _refused(path: str, accept: str) -> ApiError | None:
    """406 where nothing of the header can be had. Groups and their list do not pass upstream's router."""
    root, *below = path.split("/")[1:]
    types = _PRODUCED.get(root)
    if types is None:
        return None
    if (root != "apis" or len(below) > 1) and not passes_router(accept, types):
        return no_representation(types)
    can_be_had = accepted_discovery if path in _LISTS else accepted_for_errors
    return not_acceptable(MEDIA_TYPES) if root != "version" and can_be_had(accept) is None else None


def _takes_document(accept: str, *, with_protobuf: bool) -> bool:
    """Whether a document of OpenAPI can be had: of v3 their handler speaks JSON alone, here."""
    spoken = {*_LIKE_JSON, *(_V2_PROTOBUF if with_protobuf else ())}
    return not accept or any(media_type_of(clause) in spoken for clause in accept.split(","))


def _normal(path: str) -> str:
    """OpenAPI's paths are no others with a slash at their end."""
    return path if path.startswith("/openapi/") else path.rstrip("/") or "/"


def _keep(body: bytes, media_type: str, etag: str) -> Stored:
    tag = f'"{etag or hashlib.sha256(body).hexdigest().upper()}"'
    if len(body) < 8192:
        return Stored(body, compressed=False, media_type=media_type, etag=tag)
    return Stored(gzip.compress(body, 6, mtime=0), compressed=True, media_type=media_type, etag=tag)


def _caching(*, public: bool, forever: bool) -> list[tuple[str, str]]:
    """A document asked for by its hash never changes; aggregated discovery may be kept by proxies."""
    if forever:
        return [("cache-control", f"{_FOREVER}, max-age={_YEAR}")]
    return [("cache-control", "public" if public else _FRESH)]

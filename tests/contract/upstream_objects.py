"""What upstream's API server makes of our samples: its etcd values (protobuf) beside its JSON answers.

The fixture upstream_objects.json.gz was made by this file, run against upstream's kube-apiserver v1.34.1 on an empty etcd:

    python -m tests.contract.upstream_objects https://127.0.0.1:16443 FOLDER-OF-PKI http://127.0.0.1:16444

It creates one object of every kind, reads every object back as JSON, and takes the stored value from etcd.
"""

import asyncio
import gzip
import ssl
import sys
from pathlib import Path

import httpx
import msgspec

from apimachinery.kinds import KINDS
from apiserver.registry import stored_kind
from apiserver.storage.etcd import EtcdStorage
from tests.unit.strategies_samples import SAMPLES

FIXTURE = Path(__file__).parent / "upstream_objects.json.gz"


class Made(msgspec.Struct):
    """One object: where it is stored, as what, and what clients are shown at its path."""

    key: str
    value: bytes
    path: str
    tree: dict


def load():
    """The objects of the fixture."""
    return msgspec.json.decode(gzip.decompress(FIXTURE.read_bytes()), type=list[Made])


def kinds():
    """The kinds that are stored, each in the version that it is stored in."""
    return [kind for kind in KINDS if {"list", "create"} <= set(kind.verbs) and stored_kind(kind) is kind]


def create_all(http):
    """One object of every kind; gives the refusals."""
    refused = {}
    for kind, sample in SAMPLES.items():
        name = sample.get("metadata", {}).get("name", "sample")
        tree = {**sample, "kind": kind.kind, "apiVersion": kind.api_version}
        tree["metadata"] = {"name": name, **sample.get("metadata", {})}
        answer = http.post(kind.path("default" if kind.namespaced else ""), json=tree)
        if answer.status_code not in (201, 409):
            refused[kind.kind] = answer.json()["message"]
    return refused


async def collect(http, storage):
    """Every object as it is stored and as it is shown."""
    found = []
    for kind in kinds():
        answer = http.get(kind.path())
        if answer.status_code != 200:
            continue
        for item in answer.json()["items"]:
            meta = item["metadata"]
            key = kind.storage_key(meta.get("namespace", ""), meta["name"])
            stored = await storage.get(key)
            assert stored is not None, key
            path = kind.path(meta.get("namespace", ""), meta["name"])
            found.append(Made(key, stored.value, path, http.get(path).json()))
    return found


async def main(server, pki, etcd):
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
    with httpx.Client(base_url=server, verify=context, timeout=30) as http:
        refused = create_all(http)
        async with EtcdStorage([etcd.removeprefix("http://")]) as storage:
            made = await collect(http, storage)
    FIXTURE.write_bytes(gzip.compress(msgspec.json.encode(made), 9, mtime=0))
    sys.stdout.write(f"{len(made)} objects of {len({one.tree['kind'] for one in made})} kinds; refused: {refused}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

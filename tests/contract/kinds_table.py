"""docs/kinds.md, made from a server in this process: every built-in kind, and every verb, driven once.

    python -m tests.contract.kinds_table        (writes the page; test_kinds_table.py checks that it is up to date)

What discovery lists is what a row says. A verb in plain type was driven and answered as it should; one in italics is
listed, and driven by the tests of its own (streams, evictions, approvals).
"""

import asyncio
import base64
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from apimachinery.kinds import KINDS
from tests.contract.api_server import MERGE, running
from tests.unit.strategies_samples import SAMPLES

PAGE = Path(__file__).parents[2] / "docs/kinds.md"
HEAD = """# Kinds and verbs

Every built-in kind that is served, with the verbs that discovery lists. Written by `python -m tests.contract.kinds_table`,
which drives them on a server; a test checks that the page is up to date. Plain: driven by that run, answered with a 2xx.
*In italics*: listed, and driven by tests of its own. For what a kind means, and what differs, see
[compatibility.md](compatibility.md).

| group/version | resource | verbs | not driven by this run |
|---|---|---|---|
"""
_STREAMS = ("attach", "exec", "log", "portforward", "proxy")
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
_ABOUT = {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}
_EVENT = {"eventTime": "2024-01-01T00:00:00.000000Z", "reportingController": "example.com/c", "action": "A",
          "reportingInstance": "c-1", "reason": "R", "type": "Normal",
          "regarding": {"kind": "Pod", "namespace": "default", "name": "x"}}  # fmt: skip


def request_pem():
    """A certificate request, as a CertificateSigningRequest carries it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    )
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def more_samples():
    """By (group, version, plural): kinds that no other test keeps a sample of."""
    request = {
        "request": base64.b64encode(request_pem()).decode(),
        "signerName": "example.com/s",
        "usages": ["client auth"],
    }
    return {
        ("autoscaling", "v1", "horizontalpodautoscalers"): {"spec": {"maxReplicas": 3, "scaleTargetRef": _TARGET}},
        ("certificates.k8s.io", "v1", "certificatesigningrequests"): {"spec": request},
        ("events.k8s.io", "v1", "events"): _EVENT,
        ("authentication.k8s.io", "v1", "selfsubjectreviews"): {},
        ("authentication.k8s.io", "v1", "tokenreviews"): {"spec": {"token": "x"}},
        ("authorization.k8s.io", "v1", "localsubjectaccessreviews"): {
            "metadata": {"namespace": "default"},
            "spec": {"user": "x", **_ABOUT},
        },
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"): {"spec": _ABOUT},
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews"): {"spec": {"namespace": "default"}},
        ("authorization.k8s.io", "v1", "subjectaccessreviews"): {"spec": {"user": "x", **_ABOUT}},
    }


class Drive:
    """One kind's verbs, driven in an order in which each finds what it needs."""

    def __init__(self, api, kind, sample):
        self.api, self.kind = api, kind
        metadata = sample.get("metadata", {})
        self.name = metadata.get("name", "sample")
        self.body = {**sample, "apiVersion": kind.api_version, "kind": kind.kind}
        self.body["metadata"] = metadata if kind.verbs == ("create",) else {"name": self.name, **metadata}
        self.all = kind.path("default" if kind.namespaced else "")
        self.one = f"{self.all}/{self.name}"
        self.done = set()

    async def run(self, served):
        """What was answered with a 2xx, as (subresource, verb)."""
        if "create" in served[""]:
            await self._send("", "create", "POST", self.all, self.body)
        for verb in ("get", "update", "patch"):
            for subresource in served:
                if verb in served[subresource] and subresource not in _STREAMS:
                    await self._on_one(subresource, verb)
        if "list" in served[""]:
            await self._send("", "list", "GET", self.all)
        if "watch" in served[""]:
            async with self.api.watch(self.all) as events:
                assert (await events.next())[0] == "ADDED"
            self.done.add(("", "watch"))
        if "deletecollection" in served[""]:
            await self._send("", "deletecollection", "DELETE", f"{self.all}?labelSelector=driven=yes&dryRun=All")
        if "delete" in served[""]:
            await self._send("", "delete", "DELETE", f"{self.one}?propagationPolicy=Background")
        return self.done

    async def _on_one(self, subresource, verb):
        if "create" not in self.kind.verbs or subresource == "finalize":
            return
        path = f"{self.one}/{subresource}".rstrip("/")
        if verb == "update":
            body = await self.api.must("GET", path)
            await self._send(subresource, verb, "PUT", path, body)
        elif verb == "patch":
            await self._send(subresource, verb, "PATCH", path, {"metadata": {"labels": {"driven": "yes"}}}, type=MERGE)
        else:
            await self._send(subresource, verb, "GET", path)

    async def _send(self, subresource, verb, method, path, body=None, **more):
        await self.api.must(method, path, body, **more)
        self.done.add((subresource, verb))


async def served(api):
    """(group/version, plural) -> subresource -> verbs, as discovery lists them."""
    groups = (await api.must("GET", "/apis"))["groups"]
    paths = ["/api/v1", *(f"/apis/{v['groupVersion']}" for group in groups for v in group["versions"])]
    found = {}
    for path in paths:
        document = await api.must("GET", path)
        for row in document["resources"]:
            plural, _, subresource = row["name"].partition("/")
            found.setdefault((document["groupVersion"], plural), {})[subresource] = row["verbs"]
    return found


async def rows():
    """The lines of the table."""
    samples = {(kind.group, kind.version, kind.plural): sample for kind, sample in SAMPLES.items()} | more_samples()
    kinds = {(kind.api_version, kind.plural): kind for kind in KINDS}
    lines = []
    async with running() as api:
        for key, verbs in (await served(api)).items():
            kind = kinds[key]
            sample = samples.get((kind.group, kind.version, kind.plural))
            is_driven = sample is not None or "create" not in kind.verbs
            done = await Drive(api, kind, sample or {}).run(verbs) if is_driven else set()
            lines += [line(key, subresource, listed, done) for subresource, listed in sorted(verbs.items())]
    return lines


def line(key, subresource, listed, done):
    """One row: what was driven, and what is only listed."""
    driven = [verb for verb in listed if (subresource, verb) in done]
    others = [f"*{verb}*" for verb in listed if (subresource, verb) not in done]
    name = f"{key[1]}/{subresource}".rstrip("/")
    return f"| {key[0]} | {name} | {', '.join(driven)} | {', '.join(others)} |\n"


async def page():
    """The page's text."""
    return HEAD + "".join(await rows())


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()))

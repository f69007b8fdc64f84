"""The same requests as were once sent to kube-apiserver v1.34.1: codes, messages and managedFields are the same.

Of nearly every kind: create, patches, applies with and without conflicts, status; then scale, both versions of
autoscalers, resets, kubectl's migration, custom resources in two versions, and what is refused.
"""

import asyncio
import gzip
import json
from pathlib import Path

import msgspec

from apiserver.options import Options
from tests.contract.api_server import running

ANSWERS = json.loads(gzip.decompress(Path(__file__).with_name("apply_answers.json.gz").read_bytes()))
#: Who writes when it has the time to.
_SERVER = ("kube-apiserver", "api-priority-and-fairness-config-consumer-v1", "validatingadmissionpolicy-status")


def shown(tree):
    """Entries as they were recorded: whether there is a time, not which; without those of controllers."""
    entries = (tree.get("metadata") or {}).get("managedFields") or []
    entries = [e for e in entries if e["manager"] not in _SERVER]
    rows = [{**{k: v for k, v in e.items() if k != "time"}, "timed": "time" in e} for e in entries]
    return sorted(
        rows, key=lambda e: json.dumps([e["operation"], e["manager"], e["apiVersion"], e.get("subresource", "")])
    )


def lines(text):
    """Go's maps have no order, and so some lists in messages have none."""
    return sorted(text.split("\n"))


async def test_as_upstream():
    wrong, version = [], ""
    # The clock stands still, as it nearly did when this was recorded: the oldest of several updaters depends on it.
    options = Options(admission_disabled=("ServiceAccount",))
    async with running(options=options, clock=lambda: 1_700_000_000.0) as api:
        for row in ANSWERS:
            if "wait" in row:
                async with asyncio.timeout(60):
                    while (await api.call("GET", row["wait"]))[0] != 200:
                        await asyncio.sleep(0.01)
                continue
            raw = row["raw"].encode() if "raw" in row else None
            if "body" in row:
                raw = msgspec.json.encode(row["body"]).replace(b"$RV", version.encode())
            code, tree = await api.call(row["method"], row["path"], raw=raw, type=row["type"])
            version = (tree.get("metadata") or {}).get("resourceVersion") or version
            where = f"{row['method']} {row['path']} {str(row.get('body'))[:120]}"
            expected = 400 if row["code"] == 500 else row["code"]  # docs/decisions/0063
            if code != expected:
                wrong.append(f"{where}: {code} in place of {expected}: {tree.get('message')}")
            elif code >= 400 and lines(tree["message"]) != lines(row["message"]):
                wrong.append(f"{where}: {tree['message']} in place of {row['message']}")
            elif "causes" in row and _causes(tree) != sorted(map(json.dumps, row["causes"])):
                wrong.append(f"{where}: {tree['details']} in place of {row['causes']}")
            elif "managed" in row and shown(tree) != row["managed"]:
                wrong.append(f"{where}: {shown(tree)} in place of {row['managed']}")
    assert not wrong, "\n".join(wrong)


def _causes(tree):
    return sorted(map(json.dumps, (tree.get("details") or {}).get("causes", [])))

"""When the token of a Secret was last used: a label on the Secret, by which cleaners know the tokens that nobody uses.

A ConfigMap says since when uses are noticed. The label has the day (UTC) and is written at the first use of a day, in a
task of its own: no request waits for it, and one that cannot be written is tried again at the next use.
Source: pkg/serviceaccount/legacy.go, pkg/controlplane/controller/legacytokentracking.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import SECRETS
from apimachinery.types import Json
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.protocol import StorageError

log = structlog.get_logger("apiserver")

LAST_USED = "kubernetes.io/legacy-token-last-used"
_DAY = 24 * 3600


def since(now: float) -> Json:
    """The ConfigMap that says from which day on uses are noticed."""
    meta = {"name": "kube-apiserver-legacy-service-account-token-tracking", "namespace": "kube-system"}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": {"since": day(now)}}


def day(now: float) -> str:
    """The date, as labels have it."""
    return times.rfc3339(now).partition("T")[0]


@dataclass(slots=True)
class Uses:
    """Notes the uses of Secrets' tokens."""

    api: Api
    _writing: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    def note(self, secret: Json, now: float) -> None:
        """A token of this Secret has just been used. A label of tomorrow's, by another clock, is good as well."""
        last = (secret["metadata"].get("labels") or {}).get(LAST_USED)
        uid = secret["metadata"]["uid"]
        if last in (day(now), day(now + _DAY)) or uid in self._writing:
            return
        task = asyncio.get_running_loop().create_task(self._write(secret, day(now)))
        self._writing[uid] = task
        task.add_done_callback(lambda _task: self._writing.pop(uid, None))

    async def _write(self, secret: Json, today: str) -> None:
        meta = secret["metadata"]
        patch = {"metadata": {"uid": meta["uid"], "labels": {LAST_USED: today}}}
        try:
            await internal.merge(self.api, SECRETS, meta["namespace"], meta["name"], patch)
        except (ApiError, StorageError) as error:
            log.warning("the use of a secret's token was not noted", error=str(error), secret=meta["name"])

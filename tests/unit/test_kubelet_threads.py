"""Work in real threads is never left behind: whoever called for it and was cancelled is there until it has ended."""

import asyncio
import threading

import pytest

from kubelet.pods import cgroups
from kubelet.threads import in_thread
from tests.cluster.node_on_fakes import Site, eventually


class Work:
    """Begins in a thread, and goes on until it is let."""

    def __init__(self):
        self.begun, self.go, self.done = threading.Event(), threading.Event(), []

    def __call__(self, *_):
        self.begun.set()
        self.go.wait(30)
        self.done.append("made")


async def test_a_cancelled_caller_waits_for_the_end():
    work = Work()
    calling = asyncio.ensure_future(in_thread(work))
    await asyncio.to_thread(work.begun.wait, 30)
    calling.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not calling.done()
    work.go.set()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert work.done == ["made"]


async def test_what_a_called_off_start_was_making_is_finished_before_it_is_taken_away(tmp_path, monkeypatch):
    site, work = Site(tmp_path), Work()
    monkeypatch.setattr(cgroups, "ensure", work)
    monkeypatch.setattr(cgroups, "remove", lambda *_: work.done.append("removed"))
    async with site.kubelet() as agent:
        site.api.put("web")
        await eventually(work.begun.is_set, 60)
        site.api.delete("web")
        await eventually(lambda: agent.find("default", "web")._ending_since, 60)  # and so the start is called off
        work.go.set()
        await eventually(lambda: not agent.workers, 60)
    assert work.done[:2] == ["made", "removed"]

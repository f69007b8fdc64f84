"""Pages: together they are the list, whatever happens in between."""

import asyncio
import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apiserver.storage import paging
from apiserver.storage.entry import Entry
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT
from apiserver.storage.watchcache import WatchCache

PREFIX = "/registry/pods/"


def token(**fields):
    return base64.urlsafe_b64encode(msgspec.json.encode(fields)).rstrip(b"=").decode()


def test_a_token_is_upstreams():
    text = paging.encode("/registry/pods/ns/a", PREFIX, 7)
    assert base64.b64decode(text + "==") == b'{"v":"meta.k8s.io/v1","rv":7,"start":"ns/a\\u0000"}'
    assert paging.decode(text, PREFIX) == paging.Position("/registry/pods/ns/a", 7)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("%%%", "continue key is not valid: "),
        (token(v="meta.k8s.io/v1", rv="x"), "continue key is not valid: "),
        (token(v="v2", rv=1, start="a\0"), "server does not recognize this encoded version v2"),
        (token(v="meta.k8s.io/v1", start="a\0"), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (token(v="meta.k8s.io/v1", rv=1), "encoded start key empty (version meta.k8s.io/v1)"),
        (token(v="meta.k8s.io/v1", rv=1, start="../secrets/a\0"), "continue key is not valid: ../secrets/a"),
        (token(v="meta.k8s.io/v1", rv=1, start="/a/../../secrets/a\0"), "continue key is not valid: /a/../../"),
    ],
)
def test_a_bad_token_is_refused(text, problem):
    with pytest.raises(ApiError, match="invalid continue token: continue key is not valid") as refused:
        paging.decode(text, PREFIX)
    assert problem in refused.value.message
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")


@given(st.integers(0, 20), st.integers(1, 8), st.sampled_from([None, lambda e: e.revision % 3 == 0]))
def test_pages_of_the_cache_are_the_list(count, limit, wanted):
    entries = [Entry(f"{PREFIX}{i:02}", i, b"", 0) for i in range(count)]
    found, after = [], ""
    while True:
        page = paging.cut(entries, PREFIX, 7, limit, after=after, wanted=wanted)
        assert len(page.items) <= limit
        found += page.items
        if wanted is None:
            assert (page.remaining or 0) == count - len(found)
        if not page.token:
            break
        after = paging.decode(page.token, PREFIX).after
    assert found == [e for e in entries if wanted is None or wanted(e)]


def value(name):
    return msgspec.json.encode({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name}})


@pytest.fixture
async def store():
    """A storage with ten pods, and the cache that follows it."""
    storage = MemoryStorage()
    cache = WatchCache(storage)
    for i in range(10):
        await storage.put(f"{PREFIX}ns/{i}", value(str(i)), expect=ABSENT)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run())
        await cache.wait_fresh()
        yield storage, cache
        running.cancel()


async def pages(storage, cache, between, **options):
    found, text = [], ""
    while True:
        page = await paging.page(storage, cache, PREFIX, token=text, **options)
        found.append(page)
        text = page.token
        if not text:
            return found
        await between()
        await cache.wait_fresh()


@pytest.mark.parametrize("wanted", [None, lambda e: int(e.name) % 2])
@pytest.mark.parametrize("limit", [0, 1, 3, 4, 10, 11])
@pytest.mark.parametrize("changing", [False, True])
async def test_pages_are_of_the_first_ones_revision(store, wanted, limit, changing):
    storage, cache = store
    numbers = iter(range(10))

    async def between():
        if changing:
            i = next(numbers)
            current = await storage.get(f"{PREFIX}ns/{i}")
            await storage.delete(current.key, expect=current.revision)
            await storage.put(f"{PREFIX}ns/{i}5", value(f"{i}5"), expect=ABSENT)

    found = await pages(storage, cache, between, limit=limit, wanted=wanted)
    names = [e.name for page in found for e in page.items]
    assert names == [str(i) for i in range(10) if wanted is None or i % 2]
    assert {page.revision for page in found} == {11}
    if wanted is None:
        seen = 0
        for page in found:
            seen += len(page.items)
            assert (page.remaining or 0) == 10 - seen


async def test_a_compacted_page_comes_with_a_way_on(store):
    storage, cache = store
    first = await paging.page(storage, cache, PREFIX, limit=4)
    await storage.put(f"{PREFIX}ns/9a", value("9a"), expect=ABSENT)
    await storage.compact(await storage.revision())
    await cache.wait_fresh()
    with pytest.raises(paging.ContinueExpired) as refused:
        await paging.page(storage, cache, PREFIX, limit=4, token=first.token)
    status = refused.value.status()
    assert (status["code"], status["reason"], status["message"]) == (410, "Expired", paging.CONTINUE_EXPIRED)
    rest = await paging.page(storage, cache, PREFIX, limit=0, token=status["metadata"]["continue"])
    assert [e.name for e in rest.items] == ["4", "5", "6", "7", "8", "9", "9a"]
    assert rest.revision == await storage.revision()
    with pytest.raises(ApiError, match="The resourceVersion for the provided list is too old"):
        await paging.page(storage, cache, PREFIX, limit=4, at=5)


async def test_an_exact_list_is_as_of_its_revision(store):
    storage, cache = store
    assert [e.name for e in (await paging.page(storage, cache, PREFIX, limit=0, at=4)).items] == ["0", "1", "2"]
    assert len((await paging.page(storage, cache, PREFIX, limit=0, at=11)).items) == 10

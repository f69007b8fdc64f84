"""Container logs in both formats: tails, times, limits, following over rotation, and the query's words."""

import asyncio
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from kubelet import logs
from kubelet.logs import LogOptions, nine_digits, read_log, seek_tail
from kubelet.server.logquery import log_options


def docker(text, second=0, stream="stdout"):
    time = f"2024-01-01T00:00:{second:02}.5Z"
    return json.dumps({"log": text, "stream": stream, "time": time}, separators=(",", ":")).encode() + b"\n"


def cri(text, second=0, stream="stdout"):
    flag = "F" if text.endswith("\n") else "P"
    return f"2024-01-01T00:00:{second:02}.5Z {stream} {flag} {text.rstrip(chr(10))}\n".encode()


async def shown(path, **options):
    return b"".join([chunk async for chunk in read_log(path, LogOptions(**options))])


@pytest.fixture(params=[docker, cri])
def log(request, tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(request.param(f"line {i}\n", i, ("stdout", "stderr")[i % 2]) for i in range(6)))
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, b"".join(b"line %d\n" % i for i in range(6))),
        ({"tail_lines": 2}, b"line 4\nline 5\n"),
        ({"tail_lines": 0}, b""),
        ({"tail_lines": 99, "stream": "stderr"}, b"line 1\nline 3\nline 5\n"),
        ({"since": 1704067204.0}, b"line 4\nline 5\n"),
        ({"limit_bytes": 9}, b"line 0\nli"),
        ({"tail_lines": 1, "timestamps": True}, b"2024-01-01T00:00:05.500000000Z line 5\n"),
    ],
)
async def test_options(log, options, expected):
    assert await shown(log, **options) == expected


@pytest.mark.parametrize("line", [docker, cri])
async def test_parts_of_a_long_line_are_joined(tmp_path, line):
    path = tmp_path / "0.log"
    path.write_bytes(line("one ") + line("two\n", 1) + line("end\n", 2))
    assert await shown(path, timestamps=True) == (
        b"2024-01-01T00:00:00.500000000Z one two\n2024-01-01T00:00:02.500000000Z end\n"
    )
    assert await shown(path, tail_lines=2) == b"one two\nend\n"


PARTS = st.lists(st.tuples(st.text('ab\\" ', max_size=6), st.booleans()), max_size=12)


@given(PARTS, st.integers(0, 8), st.sampled_from([docker, cri]), st.integers(1, 64))
def test_tail_is_the_last_whole_lines(parts, lines, form, block):
    physical = [form(text + ("\n" if whole else "")) for text, whole in parts]
    raw = b"".join(physical)
    starts = [0] + [i + 1 for i, (_, whole) in enumerate(parts) if whole and i + 1 < len(parts)]
    # Counted from the end, a line split in parts is one line; the last may be unfinished.
    wanted = starts[-lines:][0] if lines and len(starts) >= lines else 0
    expected = b"".join(physical[wanted:]) if lines else b""
    file, before = io.BytesIO(raw), logs.BLOCK
    try:
        logs.BLOCK = block
        seek_tail(file, lines)
    finally:
        logs.BLOCK = before
    assert file.read() == expected


async def test_half_a_line_after_a_crash_is_skipped(tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(b'{"log":"ha\n' + docker("whole\n"))
    assert await shown(path) == b"whole\n"


async def follow(path, told, **options):
    """Pieces as they come, until `told` is set."""

    async def ended():
        return told.is_set()

    async for chunk in read_log(path, LogOptions(follow=True, **options), ended):
        yield chunk


async def test_following_sees_what_is_written_rotated_and_truncated(tmp_path):
    path, told = tmp_path / "0.log", asyncio.Event()
    path.write_bytes(docker("old\n") + docker("last\n"))
    stream = follow(path, told, tail_lines=1)
    assert await anext(stream) == b"last\n"
    with path.open("ab") as file:
        file.write(docker("appended\n")[:10])
        file.flush()
        file.write(docker("appended\n")[10:])
    assert await anext(stream) == b"appended\n"
    with path.open("ab") as file:
        file.write(docker("before rotation\n"))
    path.rename(tmp_path / "0.log.1")
    path.write_bytes(docker("after rotation\n"))
    assert await anext(stream) + await anext(stream) == b"before rotation\nafter rotation\n"
    path.write_bytes(docker("x\n"))
    assert await anext(stream) == b"x\n"
    with path.open("ab") as file:
        file.write(docker("final\n"))
    told.set()
    assert [chunk async for chunk in stream] == [b"final\n"]


async def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        await shown(tmp_path / "none")


@pytest.mark.parametrize(
    ("time", "fixed"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000000Z"),
        ("2024-01-01T00:00:00.123456789+02:00", "2024-01-01T00:00:00.123456789+02:00"),
        ("nonsense", "nonsense"),
    ],
)
def test_times_have_nine_digits(time, fixed):
    assert nine_digits(time) == fixed


def test_query():
    options, previous = log_options(
        {"tailLines": ["5"], "sinceSeconds": ["10"], "follow": ["true"], "previous": ["true"], "stream": ["Stderr"]},
        100.0,
    )
    assert options == LogOptions(follow=True, tail_lines=5, since=90.0, stream="stderr")
    assert previous


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"tailLines": "-1"}, 422),
        ({"tailLines": "x"}, 400),
        ({"limitBytes": "0"}, 422),
        ({"sinceSeconds": "1", "sinceTime": "2024-01-01T00:00:00Z"}, 422),
        ({"sinceTime": "yesterday"}, 422),
        ({"stream": "Both"}, 422),
    ],
)
def test_bad_queries(query, code):
    with pytest.raises(ApiError) as refusal:
        log_options({key: [value] for key, value in query.items()}, 100.0)
    assert refusal.value.code == code

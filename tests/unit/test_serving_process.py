"""`serving.process` and `serving.logs` in a process of their own: signals and stderr are the process's."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = """
import structlog
from serving import logs, process

async def main(stop):
    logs.configure("thing", json=True)
    {body}

process.run(main)
"""


def start(body):
    command = [sys.executable, "-c", MAIN.format(body=body)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_stop(number):
    process = start("print('up', flush=True); await stop.wait(); print('stopped')")
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("stopped\n", "")
    assert process.returncode == 0


def test_the_second_signal_ends_it_at_once():
    process = start("print('up', flush=True); await stop.wait(); print('on', flush=True); stop.clear(); stop.set();"
                    "\n    import asyncio; await asyncio.sleep(60)")  # fmt: skip
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise OSError(98, 'cannot listen on *:1: Address already in use')", "cannot listen on *:1"),
        (
            "import asyncio\n    async with asyncio.TaskGroup() as g: raise FileNotFoundError(2, 'none', 'tls.crt')",
            "tls.crt",
        ),
    ],
)
def test_a_plain_refusal_is_one_line(body, words):
    process = start(body)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: ")
    assert words in err


def test_logs_are_json_lines_from_structlog_and_logging():
    process = start("structlog.get_logger().info('hello', pod='a/b')\n    import logging; logging.warning('old %s', 1)")
    _, err = process.communicate(timeout=60)
    first, second = (json.loads(line) for line in err.splitlines())
    assert (first["component"], first["event"], first["pod"], first["level"]) == ("thing", "hello", "a/b", "info")
    assert (second["component"], second["event"], second["level"]) == ("thing", "old 1", "warning")


LOGGING = """
import logging
import structlog
from serving import logs

logs.configure("x")
structlog.get_logger().info("lost")
logging.getLogger().warning("lost")
print("after")
"""


def test_a_full_disk_ends_no_process_that_wants_to_log():
    with Path("/dev/full").open("w") as full:
        argv = (sys.executable, "-c", LOGGING)
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.stdout == "after\n"

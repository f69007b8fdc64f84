"""Keeps a cluster's processes running where systemd does not: starts them, brings back what dies, rotates their logs.

Guarantees:
- A process that ends is started again after a back-off that doubles from 0.1 s to 10 s and is forgotten after a minute
  of good life.
- What ends again at once is started the ordinary way, not by the warm process: that one may be of an older version.
- Killing the supervisor itself harms nobody: it records pid and start time of each process in `run/NAME.json`, and the
  next supervisor adopts what still runs. Adopted and started processes are watched alike, by pidfd.
- SIGTERM stops the processes in the reverse order of their start, each with ten seconds of grace, and then itself.
- One supervisor a cluster: it holds a lock on `run/supervisor.lock`.

It knows processes only: what they are for is the business of `processes.py`. Run as
`python -m bootstrap.supervisor ROOT`, where ROOT/run/processes.json says what to run.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bootstrap.forge import Order
from bootstrap.processes import Process

FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 10.0
GOOD_LIFE = 60.0
GRACE = 10.0
PATIENCE = 30.0  # how long a process waits for the one it needs before it is started all the same
POLL = 0.05
LOG_LIMIT = 16 * 1024**2
LOG_CHECK = 30.0


class Running(msgspec.Struct, frozen=True):
    """A process that was started: its pid, and the kernel's start time, since pids come round again."""

    pid: int
    started: int
    argv: tuple[str, ...] = ()


def next_backoff(previous: float, lived: float) -> float:
    """Seconds to wait before the next start, given the last wait and how long the process lived."""
    if lived >= GOOD_LIFE or previous == 0:
        return FIRST_BACKOFF
    return min(previous * 2, LONGEST_BACKOFF)


def start_time(pid: int) -> int:
    """The kernel's start time of a process in clock ticks; 0 when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = text.rsplit(")", 1)[1].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def is_alive(running: Running | None) -> bool:
    """Whether this very process (not a later one with its pid) still runs."""
    return running is not None and running.started != 0 and start_time(running.pid) == running.started


def recorded(run: Path, name: str) -> Running | None:
    """What an earlier supervisor wrote down about a process."""
    try:
        return msgspec.json.decode((run / f"{name}.json").read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def record(run: Path, name: str, running: Running) -> None:
    """Writes a process down; whole or not at all."""
    temporary = run / f"{name}.json.tmp"
    temporary.write_bytes(msgspec.json.encode(running))
    temporary.rename(run / f"{name}.json")


def strays(root: Path) -> list[Running]:
    """Processes of this cluster that run, recorded or not: by the cluster's folder in their command lines.

    What was started in the instant before a kill -9 is written down nowhere; this finds it all the same.
    """
    return found(lambda words: _belongs(words, str(root)))


def found(matches: Callable[[Sequence[str]], bool]) -> list[Running]:
    """The processes of the machine, but for this one, whose command lines match."""
    rows = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):  # it has ended
                command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
                rows += [Running(int(entry.name), start_time(int(entry.name)))] if matches(command) else []
    return [running for running in rows if running.started]


def _belongs(words: Sequence[str], root: str) -> bool:
    program = Path(words[0]).name if words else ""
    is_ours = program.startswith("pykube-") or program == "etcd" or "bootstrap.supervisor" in words
    return is_ours and any(word == root or word.split("=")[-1].startswith(f"{root}/") for word in words)


class Forge:
    """The warm process of forge.py, as the supervisor sees it: an order goes in, a pid comes out."""

    def __init__(self, root: Path) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "bootstrap.forge", str(its.fileno()), str(root)),
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
                env=os.environ | {"PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._connection = ours
        self._one_at_a_time = threading.Lock()

    def start(self, argv: Sequence[str], log: Path) -> int:
        """The pid of the program's new process; 0 where the forge cannot start it."""
        try:
            with self._one_at_a_time:
                self._connection.send(msgspec.json.encode(Order(tuple(argv), str(log))))
                return msgspec.json.decode(self._connection.recv(100) or b"0", type=int)
        except OSError:
            return 0

    def close(self) -> None:
        """Ends the forge; what it started goes on."""
        self._connection.close()
        self._process.wait()


class Supervisor:
    """The shell around the rules above. `root` is the cluster's folder."""

    def __init__(self, root: Path, processes: Sequence[Process], forge: Forge) -> None:
        self.run = root / "run"
        self.logs = root / "logs"
        self.processes = processes
        self.forge = forge
        self.stopping = asyncio.Event()
        self._asking = asyncio.Lock()  # one asks for all: each question costs the asked a TLS handshake

    async def serve(self) -> None:
        """Runs until SIGTERM or SIGINT, then stops everything in reverse order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        async with asyncio.TaskGroup() as tasks:
            keepers = [tasks.create_task(self._keep(process)) for process in self.processes]
            rotation = tasks.create_task(self._rotate())
            await self.stopping.wait()
            rotation.cancel()
            for keeper, process in reversed(list(zip(keepers, self.processes, strict=True))):
                keeper.cancel()
                await stop(recorded(self.run, process.name))
                (self.run / f"{process.name}.json").unlink(missing_ok=True)

    async def _keep(self, process: Process) -> None:
        backoff = 0.0
        while True:
            running = recorded(self.run, process.name)
            if not is_alive(running):
                await self._wait_for(process.after)
                # The forge has an older version's modules where the programs were changed since: not from there, then.
                running = await self._start(process, warm=backoff <= FIRST_BACKOFF)
            assert running is not None
            born = time.monotonic()
            await wait_ended(running)
            _reap(running.pid)
            backoff = next_backoff(backoff, time.monotonic() - born)
            self._say(process, f"ended; starting it again in {backoff:.1f} s")
            await asyncio.sleep(backoff)

    async def _wait_for(self, name: str) -> None:
        """Returns when the process of that name serves; at the latest after PATIENCE."""
        urls = [process.health for process in self.processes if process.name == name]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE), self._asking:
                while urls and not await serves(urls[0]):
                    await asyncio.sleep(POLL)

    async def _start(self, process: Process, *, warm: bool) -> Running:
        log = self.logs / f"{process.name}.log"
        pid = 0
        if warm and process.argv[0].startswith(str(Path(sys.executable).parent)):
            pid = await asyncio.to_thread(self.forge.start, process.argv, log)
        pid = pid or _spawn(process.argv, log)
        running = Running(pid, start_time(pid), process.argv)
        record(self.run, process.name, running)
        self._say(process, f"started as pid {pid}")
        return running

    def _say(self, process: Process, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        print(f"{stamp} {process.name}: {text}", flush=True)

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK)
            for log in self.logs.glob("*.log"):
                rotate(log)


def _spawn(argv: Sequence[str], log: Path) -> int:
    """Starts a program the ordinary way; its pid."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    child.returncode = 0  # we watch the pid ourselves; Popen must not warn about a running child
    return child.pid


def rotate(log: Path, limit: int = LOG_LIMIT) -> bool:
    """Copies a log that has grown over `limit` bytes to NAME.log.1 and empties it in place.

    In place, because its writer keeps the file open (and appends, so that it goes on at the new end).
    """
    if log.stat().st_size <= limit:
        return False
    Path(f"{log}.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    return True


async def serves(url: str) -> bool:
    """Whether a GET of the URL is answered with 200. Nothing secret is asked, so nobody's certificate is checked."""
    parts = urlsplit(url)
    tls = _trusting() if parts.scheme == "https" else None
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=tls)
        try:
            writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
    except OSError:
        return False


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def wait_ended(running: Running) -> None:
    """Returns when the process is gone; it need not be a child of ours."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return
    try:
        if start_time(running.pid) != running.started:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)


async def stop(running: Running | None, grace: float = GRACE) -> None:
    """SIGTERM, `grace` seconds, SIGKILL; to the whole session, so that no grandchild stays."""
    if running is None or not is_alive(running):
        return
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await wait_ended(running)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, signal.SIGKILL)
    _reap(running.pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def launch(root: Path, processes: Sequence[Process]) -> None:
    """Starts a supervisor for the cluster in the background; does nothing where one runs with the same processes."""
    run, logs = root / "run", root / "logs"
    run.mkdir(exist_ok=True, mode=0o700)
    logs.mkdir(exist_ok=True, mode=0o750)
    (run / "processes.json").write_bytes(msgspec.json.encode(processes))
    if is_alive(recorded(run, "supervisor")):
        return
    with (logs / "supervisor.log").open("ab") as log:
        child = subprocess.Popen(
            (*_out_of_the_session(root), sys.executable, "-m", "bootstrap.supervisor", str(root)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).parent.parent,
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        )
    record(run, "supervisor", Running(child.pid, start_time(child.pid)))
    child.returncode = 0


def _out_of_the_session(root: Path) -> tuple[str, ...]:
    """What starts the supervisor where systemd is init: in a scope of its own, not in that of who typed the command.

    A session's end may take all that is in it, and a shutdown ends sessions first. systemd-run turns into the program:
    its pid stays.
    """
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemd-run") is None:
        return ()
    told = f"--description=PyKube cluster {root.name}"
    return ("systemd-run", "--scope", "--quiet", "--collect", "--slice=system.slice", told, "--")


async def halt(root: Path) -> None:
    """Stops the supervisor with all its processes, and whatever else of the cluster runs."""
    run = root / "run"
    await stop(recorded(run, "supervisor"), grace=GRACE * 3)
    others = ("processes", "sysctl")
    for file in run.glob("*.json"):
        if file.stem not in others:
            await stop(recorded(run, file.stem))
    while left := strays(root):
        await asyncio.gather(*(stop(running) for running in left))


async def _stop_unrecorded(root: Path, processes: Sequence[Process]) -> None:
    """Stops what an earlier supervisor started and could not write down: two of one component would fight."""
    known = {found.pid for process in processes if (found := recorded(root / "run", process.name))}
    await asyncio.gather(*(stop(running) for running in strays(root) if running.pid not in known))


def main(root: Path) -> int:
    """The supervisor's own process."""
    run = root / "run"
    lock = (run / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another supervisor serves this cluster", flush=True)
        return 0
    record(run, "supervisor", Running(os.getpid(), start_time(os.getpid())))
    processes = msgspec.json.decode((run / "processes.json").read_bytes(), type=tuple[Process, ...])
    asyncio.run(_stop_unrecorded(root, processes))
    forge = Forge(root)
    try:
        asyncio.run(Supervisor(root, processes, forge).serve())
    finally:
        forge.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

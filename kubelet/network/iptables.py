"""Runs iptables: applies a rendered text atomically, keeps the jumps in place, takes all of it away."""

import subprocess

from kubelet.network.protocol import NetworkError
from kubelet.network.rules import Model, chains, jumps, render
from kubelet.threads import in_thread

_WAIT = ("-w", "10")  # for the lock that every iptables user takes


async def run(command: str, *arguments: str, text: str = "") -> tuple[int, str]:
    """Exit code and error text."""
    argv = (command, *arguments)
    try:
        done = await in_thread(subprocess.run, argv, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NetworkError(f"{command} is not installed") from error
    return done.returncode, done.stderr.strip()


async def apply(model: Model) -> None:
    """Our chains as the model says, and every jump into them exactly once."""
    code, problems = await run("iptables-restore", "--noflush", *_WAIT, text=render(model))
    if code:
        raise NetworkError(f"iptables-restore: {problems}")
    for jump in jumps(model.prefix):
        code, _ = await run("iptables", *_WAIT, "-t", jump.table, "-C", jump.chain, *jump.rule)
        if code:
            code, problems = await run("iptables", *_WAIT, "-t", jump.table, "-A", jump.chain, *jump.rule)
            if code:
                raise NetworkError(f"iptables: {problems}")


async def intact(prefix: str) -> bool:
    """Whether the jumps still stand (somebody may have flushed the tables)."""
    for jump in jumps(prefix):
        code, _ = await run("iptables", *_WAIT, "-t", jump.table, "-C", jump.chain, *jump.rule)
        if code:
            return False
    return True


async def remove(prefix: str) -> None:
    """No trace of the prefix's pod chains; what is not there is fine."""
    for jump in jumps(prefix):
        while (await run("iptables", *_WAIT, "-t", jump.table, "-D", jump.chain, *jump.rule))[0] == 0:
            pass
    for table, chain in chains(prefix):
        await run("iptables", *_WAIT, "-t", table, "-F", chain)
        await run("iptables", *_WAIT, "-t", table, "-X", chain)


async def forget_udp(port: int) -> None:
    """Drop the kernel's memory of UDP flows to a node port, which would go on to the pod that had it before."""
    await run("conntrack", "-D", "-p", "udp", "--dport", str(port))

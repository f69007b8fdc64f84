"""The door to the kernel's tables: applies a text atomically, keeps our jumps in place, notices when somebody flushed.

Every call waits for the tables' lock (-w), so that Docker, a firewall and we do not trip over one another. A canary
chain in each table tells of a flush: where it is gone, everything of ours must be written anew.
"""

import asyncio
import subprocess
from collections.abc import Sequence

from kubeproxy.rules import JUMPS

TABLES = ("nat", "filter", "mangle")
WAIT = "5"


class RulesRefused(Exception):
    """iptables refused; the text is its own."""


async def restore(text: str) -> None:
    """Applies the text of an iptables-restore without touching other chains; all of a table or nothing."""
    argv = ("iptables-restore", "-w", WAIT, "--noflush", "--counters")
    done = await asyncio.to_thread(subprocess.run, argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RulesRefused(f"{done.stdout}{done.stderr}".strip())


def iptables(table: str, *arguments: str) -> bool:
    """One iptables command; whether it succeeded."""
    argv = ("iptables", "-w", WAIT, "-t", table, *arguments)
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def ensure_jumps(prefix: str) -> None:
    """Makes the built-in chains jump to ours, at the front and in our order; what is there is not doubled."""
    for table, builtin, chain, match in reversed(JUMPS):
        rule = (*match.split(), "-j", f"{prefix}-{chain}")
        if not iptables(table, "-C", builtin, *rule):
            iptables(table, "-I", builtin, "1", *rule)


def ensure_canaries(prefix: str) -> None:
    """Puts an empty chain into each table that only a flush removes."""
    for table in TABLES:
        iptables(table, "-N", f"{prefix}-PROXY-CANARY")


def has_canaries(prefix: str) -> bool:
    """Whether nobody has flushed a table since `ensure_canaries`, and our jumps are in place."""
    return all(iptables(table, "-S", f"{prefix}-PROXY-CANARY") for table in TABLES) and all(
        iptables(table, "-C", builtin, *match.split(), "-j", f"{prefix}-{chain}")
        for table, builtin, chain, match in JUMPS
    )


def listed(table: str) -> Sequence[str]:
    """The table as iptables-save prints it."""
    done = subprocess.run(("iptables-save", "-t", table), check=False, capture_output=True, text=True)
    return done.stdout.splitlines()

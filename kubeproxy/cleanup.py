"""Takes every rule of ours out of the tables: jumps first, then the chains. Nobody else's rule is touched."""

from pathlib import Path

from kubeproxy.iptables import TABLES, iptables, listed
from kubeproxy.rules import JUMPS
from kubeproxy.sysctl import restore

#: What our chains are called behind the prefix. Other programs have KUBE- chains too (the kubelet's), which stay.
_OURS = tuple({chain for _, _, chain, _ in JUMPS})
_FIXED = (*_OURS, "MARK-MASQ", "PROXY-CANARY")
_HASHED = ("SVC-", "SVL-", "EXT-", "SEP-", "FW-")


def clean(chain_prefix: str, sysctl_record: Path | None = None) -> None:
    """Removes the chains with the prefix and gives sysctls back; does nothing where there are none."""
    for table, builtin, chain, match in JUMPS:
        while iptables(table, "-D", builtin, *match.split(), "-j", f"{chain_prefix}-{chain}"):
            pass  # a rule may be there twice after a crash
    for table in TABLES:
        names = [line[1:].split()[0] for line in listed(table) if line.startswith(f":{chain_prefix}-")]
        ours = [name for name in names if is_ours(name.removeprefix(f"{chain_prefix}-"))]
        for verb in ("-F", "-X"):
            for name in ours:
                iptables(table, verb, name)
    if sysctl_record is not None:
        restore(sysctl_record)


def is_ours(suffix: str) -> bool:
    """Whether a chain's name behind the prefix is one of this proxy's."""
    return suffix in _FIXED or suffix.startswith(_HASHED)

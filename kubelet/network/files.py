"""The files that name things inside a pod: /etc/hosts, /etc/resolv.conf, its hostname. Pure.

Sources: pkg/kubelet/kubelet_pods.go (hosts), pkg/kubelet/network/dns/dns.go (resolv.conf, search limits).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.objects.core_v1 import Pod

_MAX_NAMESERVERS = 3
_MAX_SEARCHES = 32
_MAX_SEARCH_LENGTH = 2048
_MAX_NAME = 253
_MAX_HOSTNAME = 63
_MAX_KERNEL_NAME = 64

_HOSTS_HEAD = """# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


@dataclass(frozen=True, slots=True)
class Resolver:
    """The content of a resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [f"search {' '.join(self.searches)}"] if self.searches else []
        lines += [f"nameserver {server}" for server in self.nameservers]
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(line + "\n" for line in lines)


def parse_resolver(text: str) -> Resolver:
    """The node's own resolv.conf."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, *values = line.split("#", 1)[0].split() or [""]
        if key == "nameserver":
            found[key] = (*found.get(key, ()), *values[:1])
        elif key == "search":  # the last line counts; a dot at a name's end says nothing here
            found[key] = tuple(value.removesuffix(".") for value in values if value != ".")
        elif key == "options":
            found[key] = (*(o for o in found.get(key, ()) if o not in values), *values)
    return Resolver(found.get("nameserver", ()), found.get("search", ()), found.get("options", ()))


def resolver(pod: Pod, *, node: Resolver, cluster_dns: Sequence[str], cluster_domain: str) -> Resolver:
    """What the pod's dnsPolicy and dnsConfig make of the node's and the cluster's DNS."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    on_node = policy == "Default" or (policy == "ClusterFirst" and pod.spec.host_network)
    if policy == "None":
        base = Resolver()
    elif on_node or not cluster_dns:
        base = node
    else:
        own = [f"{pod.metadata.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain]
        base = Resolver(tuple(cluster_dns), tuple(dict.fromkeys([*own, *node.searches])), ("ndots:5",))
    return _configured(base, pod)


def _configured(base: Resolver, pod: Pod) -> Resolver:
    """The pod's own dnsConfig on top: servers and searches are added, options replaced by name."""
    config = pod.spec.dns_config
    if config is None:
        return base
    options = {option.partition(":")[0]: option for option in base.options}
    for option in config.options:
        options[option.name] = f"{option.name}:{option.value}" if option.value else option.name
    return Resolver(
        tuple(dict.fromkeys([*base.nameservers, *config.nameservers])),
        tuple(dict.fromkeys([*base.searches, *config.searches])),
        tuple(options.values()),
    )


def limited(found: Resolver) -> tuple[Resolver, list[str]]:
    """What resolvers can read of it, and what had to be left out (events DNSConfigForming)."""
    problems = []
    nameservers = found.nameservers[:_MAX_NAMESERVERS]
    if nameservers != found.nameservers:
        applied = f"the applied nameserver line is: {' '.join(nameservers)}"
        problems.append(f"Nameserver limits were exceeded, some nameservers have been omitted, {applied}")
    searches = [search for search in found.searches[:_MAX_SEARCHES] if len(search) <= _MAX_NAME]
    while len(" ".join(searches)) > _MAX_SEARCH_LENGTH:
        searches.pop()
    if tuple(searches) != found.searches:
        applied = f"the applied search line is: {' '.join(searches)}"
        problems.append(f"Search Line limits were exceeded, some search paths have been omitted, {applied}")
    return Resolver(nameservers, tuple(searches), found.options), problems


def kernel_name(pod: Pod, name: str, domain: str) -> str:
    """What the kernel of the pod says its name is. Raises ValueError where that is too long for it."""
    if not domain or not pod.spec.set_hostname_as_fqdn:
        return name
    full = f"{name}.{domain}"
    if len(full) > _MAX_KERNEL_NAME:
        raise ValueError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"({_MAX_KERNEL_NAME} characters is the max, {len(full)} characters requested)"
        )
    return full


def hostname(pod: Pod, *, node_name: str, cluster_domain: str) -> tuple[str, str]:
    """The pod's host name and its domain ("" without a subdomain)."""
    if pod.spec.hostname_override:
        return pod.spec.hostname_override, ""
    if pod.spec.host_network:
        return node_name, ""
    name = pod.spec.hostname or pod.metadata.name
    name = name[:_MAX_HOSTNAME].rstrip("-.")
    subdomain = pod.spec.subdomain
    return name, f"{subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if subdomain else ""


def hosts(pod: Pod, *, address: str, name: str, domain: str, node_hosts: str) -> str:
    """A pod's /etc/hosts. On the node's network it is the node's file, with the pod's aliases after it."""
    if pod.spec.host_network:
        text = f"# Kubernetes-managed hosts file (host network).\n{node_hosts}"
    else:
        text = _HOSTS_HEAD + (f"{address}\t{name}.{domain}\t{name}\n" if domain else f"{address}\t{name}\n")
    if pod.spec.host_aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{alias.ip}\t{chr(9).join(alias.hostnames)}\n" for alias in pod.spec.host_aliases)
    return text

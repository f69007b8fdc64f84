"""How the search for addresses and ports went, and what the repair found: counted here, shown by metrics/allocation.py.

`static` is what a Service named itself, `dynamic` what it was given.
Sources: pkg/registry/core/service/{ipallocator,portallocator}/metrics.go and controller/metrics.go below them.
"""

from serving.series import DEFAULT_BUCKETS, Counter, Family, Histogram

STATIC, DYNAMIC = "static", "dynamic"
_ADDRESSES, _PORTS = "kube_apiserver_clusterip_allocator_", "kube_apiserver_nodeport_allocator_"

ADDRESS_SECONDS = Histogram(
    f"{_ADDRESSES}allocation_duration_seconds",
    "How long it took to take a cluster address, by range.",
    ("cidr",),
    buckets=DEFAULT_BUCKETS,
)
ADDRESS_TAKEN = Counter(f"{_ADDRESSES}allocation_total", "Cluster addresses taken.", ("cidr", "scope"))
ADDRESS_REFUSED = Counter(
    f"{_ADDRESSES}allocation_errors_total", "Cluster addresses that could not be had.", ("cidr", "scope")
)
PORT_TAKEN = Counter(f"{_PORTS}allocation_total", "Node ports taken.", ("scope",))
PORT_REFUSED = Counter(f"{_PORTS}allocation_errors_total", "Node ports that could not be had.", ("scope",))
#: Types of errors: what nobody has (leak), what nobody took (repair), outOfRange, duplicate.
PORT_ERRORS = Counter(
    "apiserver_nodeport_repair_port_errors_total", "Node ports that the repair found to be wrong.", ("type",)
)
ADDRESS_ERRORS = Counter(
    "apiserver_clusterip_repair_ip_errors_total", "Cluster addresses that the repair found to be wrong.", ("type",)
)
PORT_ROUNDS_FAILED = Counter(
    "apiserver_nodeport_repair_reconcile_errors_total", "Rounds of the repair of node ports that failed."
)
ADDRESS_ROUNDS_FAILED = Counter(
    "apiserver_clusterip_repair_reconcile_errors_total", "Rounds of the repair of cluster addresses that failed."
)
FAMILIES: tuple[Family, ...] = (
    *(ADDRESS_SECONDS, ADDRESS_TAKEN, ADDRESS_REFUSED, PORT_TAKEN, PORT_REFUSED),
    *(PORT_ERRORS, ADDRESS_ERRORS, PORT_ROUNDS_FAILED, ADDRESS_ROUNDS_FAILED),
)

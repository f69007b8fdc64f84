"""The node's network: addresses, rules, and the files that name things in a pod."""

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Node, Pod
from kubelet.network.files import Resolver, hostname, hosts, kernel_name, limited, parse_resolver, resolver
from kubelet.network.ipam import Addresses, gateway
from kubelet.network.protocol import HostPort, NetworkError
from kubelet.network.rules import Model, PortMapping, chains, jumps, render
from kubelet.network_upkeep import routes_to
from kubelet.options import parse_labels, parse_taints

CIDR = "10.1.0.0/29"  # .1 is the bridge; .2 to .6 are for pods


def test_addresses_rest_before_they_come_back(tmp_path):
    book = Addresses(tmp_path)
    first = book.reserve(CIDR, "a")
    book.release(first)
    assert (first, book.reserve(CIDR, "b"), gateway(CIDR)) == ("10.1.0.2", "10.1.0.3", "10.1.0.1")


def test_a_sandbox_keeps_its_address_through_restarts(tmp_path):
    port = HostPort("TCP", 8080, 80)
    address = Addresses(tmp_path).reserve(CIDR, "a", [port])
    again = Addresses(tmp_path)
    assert again.reserve(CIDR, "a") == address
    assert again.of("a").ports == (port,)


def test_no_address_is_given_twice_and_the_end_is_said(tmp_path):
    book = Addresses(tmp_path)
    given = [book.reserve(CIDR, str(n)) for n in range(5)]
    assert sorted(given) == [f"10.1.0.{n}" for n in range(2, 7)]
    with pytest.raises(NetworkError, match=r"no IP addresses available in range set: 10\.1\.0\.0/29"):
        book.reserve(CIDR, "one more")
    book.release(given[2])
    assert book.reserve(CIDR, "next") == given[2]


def test_rubbish_in_the_folder_is_no_reservation(tmp_path):
    (tmp_path / "10.1.0.2").write_text("{")
    assert Addresses(tmp_path).all() == []


def test_rules_are_a_function_of_the_model():
    ports = [
        PortMapping("10.1.0.3", HostPort("TCP", 81, 8081)),
        PortMapping("10.1.0.2", HostPort("UDP", 53, 5353, "1.2.3.4")),
    ]
    first = Model(prefix="P", pod_cidr="10.1.0.0/24", other_cidrs=("10.1.1.0/24",), ports=tuple(ports))
    second = Model(prefix="P", pod_cidr="10.1.0.0/24", other_cidrs=("10.1.1.0/24",), ports=tuple(reversed(ports)))
    text = render(first)
    assert text == render(second)
    for line in (
        "-A P-POD-FORWARD -s 10.1.0.0/24 -j ACCEPT",
        "-A P-POD-MASQ -d 10.1.1.0/24 -j RETURN",
        "-A P-POD-PORTS -p tcp --dport 81 -j DNAT --to-destination 10.1.0.3:8081",
        "-A P-POD-PORTS -d 1.2.3.4/32 -p udp --dport 53 -j DNAT --to-destination 10.1.0.2:5353",
        "-A P-POD-MASQ -s 127.0.0.1/32 -d 10.1.0.3/32 -p tcp --dport 8081 -j MASQUERADE",
    ):
        assert line in text.splitlines()


def test_every_jump_leads_into_a_chain_of_ours():
    ours = {(table, chain) for table, chain in chains("P")}
    assert {(jump.table, jump.rule[-1]) for jump in jumps("P")} == ours
    assert all(len(chain) <= 28 for _, chain in chains("PYKUBE-ABCD"))


def pod(**spec):
    return view({"metadata": {"name": "web", "namespace": "ns"}, "spec": spec}, Pod)


NODE_DNS = Resolver(("192.0.2.1",), ("corp",), ("edns0",))
CLUSTER_SEARCH = ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, Resolver(("10.96.0.10",), CLUSTER_SEARCH, ("ndots:5",)), id="ClusterFirst"),
        pytest.param({"dnsPolicy": "Default"}, NODE_DNS, id="Default"),
        pytest.param({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, NODE_DNS, id="host network"),
        pytest.param(
            {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True},
            Resolver(("10.96.0.10",), CLUSTER_SEARCH, ("ndots:5",)),
            id="cluster DNS on the host network",
        ),
        pytest.param(
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a"], "options": [{"name": "x"}]},
            },
            Resolver(("1.1.1.1",), ("a",), ("x",)),
            id="None",
        ),
        pytest.param(
            {"dnsConfig": {"options": [{"name": "ndots", "value": "2"}], "searches": ["corp", "b"]}},
            Resolver(("10.96.0.10",), (*CLUSTER_SEARCH, "b"), ("ndots:2",)),
            id="added to",
        ),
    ],
)
def test_resolver(spec, expected):
    assert resolver(pod(**spec), node=NODE_DNS, cluster_dns=["10.96.0.10"], cluster_domain="cluster.local") == expected


def test_a_resolver_survives_its_text():
    text = NODE_DNS.text()
    assert parse_resolver(f"# comment\n{text}") == NODE_DNS


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("web", "")),
        ({"hostname": "h"}, ("h", "")),
        ({"hostname": "h", "subdomain": "s"}, ("h", "s.ns.svc.c.l")),
        ({"subdomain": "s", "setHostnameAsFQDN": True}, ("web", "s.ns.svc.c.l")),
        ({"hostNetwork": True}, ("node", "")),
    ],
)
def test_hostname(spec, expected):
    assert hostname(pod(**spec), node_name="node", cluster_domain="c.l") == expected


def test_the_kernel_knows_the_whole_name_where_it_fits():
    fqdn = pod(subdomain="s", setHostnameAsFQDN=True)
    assert kernel_name(pod(subdomain="s"), "web", "s.ns.svc.c.l") == "web"
    assert kernel_name(fqdn, "web", "s.ns.svc.c.l") == "web.s.ns.svc.c.l"
    assert kernel_name(fqdn, "web", "d" * 60) == "web." + "d" * 60
    with pytest.raises(ValueError, match=r"is too long \(64 characters is the max, 65 characters requested\)$"):
        kernel_name(fqdn, "web", "d" * 61)


@pytest.mark.parametrize(
    ("given", "kept", "problem"),
    [
        pytest.param(NODE_DNS, NODE_DNS, "", id="all of it"),
        pytest.param(
            Resolver(("1", "2", "3", "4")),
            Resolver(("1", "2", "3")),
            "the applied nameserver line is: 1 2 3",
            id="servers",
        ),
        pytest.param(
            Resolver((), tuple(f"s{i}" for i in range(33))),
            Resolver((), tuple(f"s{i}" for i in range(32))),
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: s0 s1 ",
            id="searches",
        ),
        pytest.param(Resolver((), ("a", "b" * 254)), Resolver((), ("a",)), "search line is: a", id="a name too long"),
        pytest.param(
            Resolver((), tuple("c" * 250 for _ in range(9))), Resolver((), ("c" * 250,) * 8), "omitted", id="characters"
        ),
    ],
)
def test_what_resolvers_cannot_read_is_left_out_and_told(given, kept, problem):
    found, problems = limited(given)
    assert found == kept
    assert problem in "".join(problems)
    assert bool(problems) == bool(problem)


def test_hosts():
    one = pod(hostAliases=[{"ip": "1.2.3.4", "hostnames": ["x", "y"]}])
    text = hosts(one, address="10.0.0.2", name="h", domain="s.ns", node_hosts="")
    assert "10.0.0.2\th.s.ns\th\n" in text
    assert text.endswith("1.2.3.4\tx\ty\n")
    assert "mine" in hosts(pod(hostNetwork=True), address="", name="n", domain="", node_hosts="1.1.1.1 mine")


def node(name, cidr, ip):
    tree = {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }
    return view(tree, Node)


def test_routes_lead_to_other_nodes():
    nodes = [
        node("me", "10.1.0.0/24", "192.0.2.1"),
        node("b", "10.1.1.0/24", "192.0.2.2"),
        node("new", "", "192.0.2.3"),
    ]
    assert routes_to(nodes, "me") == {"10.1.1.0/24": "192.0.2.2"}


def test_flags():
    assert parse_labels("a=b,c=") == {"a": "b", "c": ""}
    assert parse_taints("k=v:NoSchedule,x:NoExecute") == [
        {"key": "k", "value": "v", "effect": "NoSchedule"},
        {"key": "x", "effect": "NoExecute"},
    ]
    for parse, text in ((parse_labels, "a"), (parse_taints, "a=b"), (parse_taints, "a:Never")):
        with pytest.raises(ValueError, match="is not KEY"):
            parse(text)

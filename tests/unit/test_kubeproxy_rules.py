"""Rules as text: the model of service ports, the chains, and the difference of two models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Service
from apimachinery.objects.discovery_v1 import EndpointSlice
from kubeproxy.conntrack import stale
from kubeproxy.model import Endpoint, ServicePort, service_ports
from kubeproxy.rules import Config, chains, delta, full

CONFIG = Config("10.244.0.0/16")
HERE, THERE = Endpoint("10.244.0.2", 8080, is_local=True), Endpoint("10.244.1.2", 8080, is_local=False)


def port(**fields):
    base = {"namespace": "d", "name": "web", "port_name": "", "protocol": "tcp", "port": 80, "cluster_ip": "10.96.0.7"}
    return ServicePort(**base | fields)


def rules_of(model, text):
    return [rule for rules in model.values() for rule in rules if text in rule]


def service(**spec):
    spec = {"clusterIP": "10.96.0.7", "ports": [{"port": 80, "protocol": "TCP"}]} | spec
    return view(
        {"metadata": {"namespace": "d", "name": "web", "labels": spec.pop("labels", {})}, "spec": spec}, Service
    )


def endpoints(*conditions, labels=()):
    ends = [
        {"addresses": [f"10.244.0.{i}"], "nodeName": "n1", "conditions": c} for i, c in enumerate(conditions, start=1)
    ]
    metadata = {"namespace": "d", "name": "web-x", "labels": {"kubernetes.io/service-name": "web"} | dict(labels)}
    tree = {"metadata": metadata, "addressType": "IPv4"}
    return view(tree | {"ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": ends}, EndpointSlice)


READY, ENDING, AWAY = {"ready": True}, {"ready": False, "serving": True, "terminating": True}, {"ready": False}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([READY, ENDING, AWAY], ["10.244.0.1"], id="ready ones alone"),
        pytest.param([ENDING, AWAY], ["10.244.0.1"], id="serving while ending, when none is ready"),
        pytest.param([AWAY], [], id="unready never"),
        pytest.param([{}], ["10.244.0.1"], id="unknown counts as ready"),
    ],
)
def test_which_endpoints_take_traffic(conditions, expected):
    (one,) = service_ports([service()], [endpoints(*conditions)], "n1")
    assert [e.ip for e in one.cluster] == expected


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"clusterIP": "None"}, id="headless"),
        pytest.param({"type": "ExternalName", "clusterIP": ""}, id="external name"),
        pytest.param({"labels": {"service.kubernetes.io/service-proxy-name": "x"}}, id="another proxy's"),
        pytest.param({"labels": {"service.kubernetes.io/headless": ""}}, id="headless with an address"),
    ],
)
def test_services_that_are_not_ours(spec):
    assert service_ports([service(**spec)], [], "n1") == ()


def test_endpoints_of_another_proxy_are_not_ours():
    elsewhere = endpoints(READY, labels={"service.kubernetes.io/headless": ""})
    (one,) = service_ports([service()], [elsewhere], "n1")
    assert one.cluster == ()


def test_a_service_without_endpoints_rejects():
    model = chains([port(node_port=30080)], CONFIG)
    rejects = rules_of(model, "REJECT")
    assert any("-d 10.96.0.7/32" in rule for rule in rejects)
    assert any("--dport 30080" in rule for rule in rejects)


def test_traffic_is_shared_evenly():
    model = chains([port(cluster=(HERE, THERE))], CONFIG)
    assert len(rules_of(model, "--probability 0.5000000000")) == 1
    assert len(rules_of(model, "-j DNAT")) == 2
    assert rules_of(model, "-s 10.244.0.2/32 -j KUBE-MARK-MASQ"), "hairpin"


def test_external_local_reaches_local_endpoints_only():
    model = chains([port(cluster=(HERE, THERE), local=(HERE,), node_port=30080, external_local=True)], CONFIG)
    (chain,) = [rules for (_, name), rules in model.items() if name.startswith("KUBE-SVL-")]
    assert len(chain) == 1
    assert not any(rule == "-j KUBE-MARK-MASQ" for rule in rules_of(model, "MASQ")), "the client's address stays"


def test_affinity_remembers_the_client():
    model = chains([port(cluster=(HERE, THERE), affinity_seconds=60)], CONFIG)
    assert len(rules_of(model, "--rcheck --seconds 60")) == 2
    assert len(rules_of(model, "--set --rsource")) == 2


def test_one_changed_service_among_many_is_a_small_delta():
    many = [port(name=f"s{i}", cluster_ip=f"10.96.1.{i}", cluster=(HERE, THERE)) for i in range(50)]
    changed = [port(name="s7", cluster_ip="10.96.1.7", cluster=(HERE,)), *(p for p in many if p.name != "s7")]
    text = delta(chains(many, CONFIG), chains(changed, CONFIG))
    assert 0 < len(text.splitlines()) < 12
    assert len(full(chains(many, CONFIG)).splitlines()) > 400


class Tables:
    """The chains that a sequence of restores leaves, as the kernel would."""

    def __init__(self):
        self.chains = {}

    def restore(self, text):
        table = ""
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            chain, _, rule = rest.partition(" ")
            if word.startswith("*"):
                table = word[1:]
            elif word.startswith(":"):
                self.chains[table, word[1:]] = []
            elif word == "-A":
                self.chains[table, chain].append(rule)
            elif word == "-D":
                self.chains[table, chain].remove(rule)
            elif word == "-X":
                assert self.chains.pop((table, chain)) == []


def sorted_rules(model):
    return {key: sorted(rules) for key, rules in model.items()}


PORT = st.builds(
    port,
    name=st.sampled_from(["a", "b", "c"]),
    cluster=st.sampled_from([(), (HERE,), (HERE, THERE)]),
    local=st.sampled_from([(), (HERE,)]),
    node_port=st.sampled_from([0, 30080]),
    external_local=st.booleans(),
    internal_local=st.booleans(),
    affinity_seconds=st.sampled_from([0, 60]),
    load_balancer_ips=st.sampled_from([(), ("192.0.2.9",)]),
    source_ranges=st.sampled_from([(), ("192.0.2.0/24",)]),
)
PORTS = st.lists(PORT, max_size=3, unique_by=lambda p: p.name)


@given(PORTS, PORTS)
def test_full_then_delta_equals_the_new_model(old, new):
    before, after = chains(old, CONFIG), chains(new, CONFIG)
    tables = Tables()
    tables.restore(full(before))
    tables.restore(delta(before, after))
    assert sorted_rules(tables.chains) == sorted_rules(after)
    assert delta(after, after) == ""


def test_stale_udp_flows():
    udp = {"protocol": "udp", "node_port": 30053}
    gone = stale([port(cluster=(HERE, THERE), **udp)], [port(cluster=(HERE,), **udp)])
    assert gone == [
        ("--orig-dst", "10.96.0.7", "--dst-nat", "10.244.1.2"),
        ("--orig-port-dst", "30053", "--dst-nat", "10.244.1.2"),
    ]
    assert stale([port(**udp)], [port(cluster=(HERE,), **udp)]) == [
        ("--orig-dst", "10.96.0.7"),
        ("--orig-port-dst", "30053"),
    ]
    assert stale([port(cluster=(HERE,))], []) == [], "TCP clients notice by themselves"


def test_what_no_service_takes_does_not_leave_the_node():
    assert not rules_of(chains([port()], CONFIG), "! -o lo")
    known = Config("10.244.0.0/16", service_cidr="10.96.0.0/16")
    assert chains([port()], known)["filter", "KUBE-CLUSTER-IPS"] == ("-d 10.96.0.0/16 ! -o lo -j DROP",)

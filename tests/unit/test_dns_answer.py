"""Questions and answers of cluster DNS, as tables."""

import ipaddress
from pathlib import Path

import pytest
from dnslib import RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Service
from apimachinery.objects.discovery_v1 import EndpointSlice
from dns.answer import answer
from dns.server import Resolver
from dns.zone import SERVICE_NAME_LABEL, build

NETWORKS = [ipaddress.IPv4Network("10.96.0.0/16"), ipaddress.IPv4Network("10.244.0.0/16")]


def service(name, **spec):
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return view({"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": ports, **spec}}, Service)


SLICE = view(
    {
        "metadata": {"name": "db-1", "namespace": "default", "labels": {SERVICE_NAME_LABEL: "db"}},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
            {"addresses": ["10.244.0.6"], "conditions": {"ready": True}},
            {"addresses": ["10.244.0.7"], "conditions": {"ready": False}},
        ],
    },
    EndpointSlice,
)
ZONE = build(
    "cluster.local",
    [
        service("web", clusterIP="10.96.1.1"),
        service("db", clusterIP="None"),
        service("out", type="ExternalName", externalName="a.example.com"),
    ],
    [SLICE],
    ["default"],
)


@pytest.mark.parametrize(
    ("name", "qtype", "code", "expected"),
    [
        ("web.default.svc.cluster.local", "A", "NOERROR", ["10.96.1.1"]),
        ("WEB.default.svc.Cluster.Local", "A", "NOERROR", ["10.96.1.1"]),
        ("web.default.svc.cluster.local", "AAAA", "NOERROR", []),
        ("_http._tcp.web.default.svc.cluster.local", "SRV", "NOERROR", ["0 100 80 web.default.svc.cluster.local."]),
        ("db.default.svc.cluster.local", "A", "NOERROR", ["10.244.0.5", "10.244.0.6"]),
        ("db-0.db.default.svc.cluster.local", "A", "NOERROR", ["10.244.0.5"]),
        ("10-244-0-6.db.default.svc.cluster.local", "A", "NOERROR", ["10.244.0.6"]),
        ("10-244-0-7.db.default.svc.cluster.local", "A", "NXDOMAIN", []),
        ("out.default.svc.cluster.local", "A", "NOERROR", ["a.example.com."]),
        ("5.0.244.10.in-addr.arpa", "PTR", "NOERROR", ["db-0.db.default.svc.cluster.local."]),
        ("1.1.96.10.in-addr.arpa", "PTR", "NOERROR", ["web.default.svc.cluster.local."]),
        ("9.9.96.10.in-addr.arpa", "PTR", "NXDOMAIN", []),
        ("nope.default.svc.cluster.local", "A", "NXDOMAIN", []),
        ("default.svc.cluster.local", "A", "NOERROR", []),
        ("10-244-0-9.default.pod.cluster.local", "A", "NOERROR", ["10.244.0.9"]),
        ("10-244-0-9.nowhere.pod.cluster.local", "A", "NXDOMAIN", []),
        ("dns-version.cluster.local", "TXT", "NOERROR", ['"1.1.0"']),
    ],
)
def test_answers(name, qtype, code, expected):
    reply = answer(DNSRecord.question(name, qtype), ZONE, NETWORKS, 1)
    assert RCODE.get(reply.header.rcode) == code
    assert [str(record.rdata) for record in reply.rr] == expected
    assert bool(reply.auth) == (not expected), "an empty answer carries the SOA"


@pytest.mark.parametrize(("name", "qtype"), [("example.com", "A"), ("4.3.2.1.in-addr.arpa", "PTR")])
def test_other_names_are_forwarded(name, qtype):
    assert answer(DNSRecord.question(name, qtype), ZONE, NETWORKS, 1) is None


async def test_kept_answers_die_with_the_zone():
    resolver = Resolver("cluster.local", [], Path("/dev/null"), "")
    resolver.replace(ZONE)
    packet = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
    first = resolver.resolve_nowait(packet, stream=False)
    again = resolver.resolve_nowait(b"\x00\x07" + packet[2:], stream=False)
    assert again == b"\x00\x07" + first[2:]
    resolver.replace(build("cluster.local", [], [], ["default"]))
    assert DNSRecord.parse(resolver.resolve_nowait(packet, stream=False)).header.rcode == RCODE.NXDOMAIN


async def test_a_big_answer_is_truncated_for_datagrams_only():
    ends = [{"addresses": [f"10.244.1.{i}"]} for i in range(100)]
    many = view(
        {"metadata": {"namespace": "default", "labels": {SERVICE_NAME_LABEL: "db"}}, "endpoints": ends}, EndpointSlice
    )
    resolver = Resolver("cluster.local", [], Path("/dev/null"), "")
    resolver.replace(build("cluster.local", [service("db", clusterIP="None")], [many], ["default"]))
    packet = bytes(DNSRecord.question("db.default.svc.cluster.local").pack())
    assert DNSRecord.parse(resolver.resolve_nowait(packet, stream=False)).header.tc == 1
    assert len(DNSRecord.parse(resolver.resolve_nowait(packet, stream=True)).rr) == 100


@given(st.binary(max_size=80))
def test_garbage_is_met_with_silence_or_an_answer(data):
    resolver = Resolver("cluster.local", [], Path("/dev/null"), "")
    reply = resolver.resolve_nowait(data, stream=False)
    assert reply is None or isinstance(reply, bytes)

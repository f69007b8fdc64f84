"""One DNS question and the zone -> one answer; None when the name is not the cluster's to answer.

Pure. An answer is authoritative; a name without records of the type asked is NOERROR with the SOA, an unknown name
NXDOMAIN with the SOA. A UDP answer that does not fit is truncated by the server, which knows the size.
Source: the Kubernetes DNS specification 1.1.0; CoreDNS' plugin/kubernetes for what it leaves open.
"""

import ipaddress
from collections.abc import Sequence

from dnslib import AAAA, CNAME, NS, PTR, QTYPE, RCODE, RR, SOA, SRV, TXT, A, DNSRecord

from dns.zone import Zone, pod_address

TTL = 5
_SPECIFICATION = "1.1.0"


def answer(query: DNSRecord, zone: Zone, networks: Sequence[ipaddress.IPv4Network], serial: int) -> DNSRecord | None:
    """The reply to `query`, or None to forward it. `networks` are those whose reverse names are ours."""
    name = str(query.q.qname).rstrip(".").lower()
    qtype = QTYPE.get(query.q.qtype)
    reply = query.reply(ra=1, aa=1)
    if reverse := _address_of(name):
        if not any(reverse in network for network in networks):
            return None
        names = zone.pointers.get(str(reverse), ()) if qtype in ("PTR", "ANY") else ()
        _add(reply, [RR(query.q.qname, QTYPE.PTR, ttl=TTL, rdata=PTR(target)) for target in names])
        return _finished(reply, zone, serial, exists=bool(zone.pointers.get(str(reverse))))
    if name != zone.domain and not name.endswith(f".{zone.domain}"):
        return None
    records = _records(query, zone, name, str(qtype), serial)
    _add(reply, records)
    return _finished(reply, zone, serial, exists=bool(records) or _exists(zone, name))


def _records(query: DNSRecord, zone: Zone, name: str, qtype: str, serial: int) -> list[RR]:
    qname = query.q.qname
    if alias := zone.aliases.get(name):
        wanted = qtype in ("A", "AAAA", "CNAME", "ANY")
        return [RR(qname, QTYPE.CNAME, ttl=TTL, rdata=CNAME(alias))] if wanted else []
    if name == f"dns-version.{zone.domain}" and qtype in ("TXT", "ANY"):
        return [RR(qname, QTYPE.TXT, ttl=TTL, rdata=TXT(_SPECIFICATION))]
    if name == zone.domain and qtype in ("SOA", "NS"):
        return [_soa(zone, serial)] if qtype == "SOA" else [RR(qname, QTYPE.NS, ttl=TTL, rdata=NS(f"ns.dns.{name}"))]
    if qtype == "SRV":
        targets = zone.services.get(name, ())
        weight = 100 // len(targets) if targets else 0
        return [RR(qname, QTYPE.SRV, ttl=TTL, rdata=SRV(0, weight, t.port, t.name)) for t in targets]
    if qtype in ("A", "AAAA", "ANY"):
        spelled = pod_address(zone, name)
        found = zone.addresses.get(name, ()) or ((spelled,) if spelled else ())
        return [record for address in found if (record := _address(qname, address, qtype)) is not None]
    return []


def _address(qname: object, address: str, qtype: str) -> RR | None:
    is_four = ":" not in address
    if qtype not in ("ANY", "A" if is_four else "AAAA"):
        return None
    if is_four:
        return RR(qname, QTYPE.A, ttl=TTL, rdata=A(address))
    return RR(qname, QTYPE.AAAA, ttl=TTL, rdata=AAAA(address))


def _exists(zone: Zone, name: str) -> bool:
    known = (zone.addresses, zone.aliases, zone.services, zone.empty)
    return any(name in names for names in known) or pod_address(zone, name) is not None


def _address_of(name: str) -> ipaddress.IPv4Address | None:
    """The address that a reverse name asks about."""
    if not name.endswith(".in-addr.arpa"):
        return None
    try:
        return ipaddress.IPv4Address(".".join(reversed(name.removesuffix(".in-addr.arpa").split("."))))
    except ValueError:
        return None


def _add(reply: DNSRecord, records: Sequence[RR]) -> None:
    for record in records:
        reply.add_answer(record)


def _finished(reply: DNSRecord, zone: Zone, serial: int, *, exists: bool) -> DNSRecord:
    if not reply.rr:
        reply.add_auth(_soa(zone, serial))
        if not exists:
            reply.header.rcode = RCODE.NXDOMAIN
    return reply


def _soa(zone: Zone, serial: int) -> RR:
    times = (serial, 7200, 1800, 86400, TTL)
    rdata = SOA(f"ns.dns.{zone.domain}", f"hostmaster.{zone.domain}", times)
    return RR(zone.domain, QTYPE.SOA, ttl=TTL, rdata=rdata)

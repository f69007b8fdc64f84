"""What is said of Services that are taken, though part of them has no effect."""

import pytest

from apiserver.strategies.address_warnings import of_address, of_range
from apiserver.strategies.service_warnings import of_service


def said(annotations=None, **spec):
    return of_service({"metadata": {"annotations": annotations or {}}, "spec": {"type": "ClusterIP", **spec}}, None)


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "sessionAffinity": "ClientIP"}, []),
        (
            {"clusterIP": "None", "clusterIPs": ["None"], "sessionAffinity": "None", "externalIPs": ["192.0.2.1"]},
            [
                "spec.externalIPs is ignored for headless services",
                "spec.SessionAffinity is ignored for headless services",
            ],
        ),
        (
            {"type": "ExternalName", "externalName": "a.example", "externalIPs": ["192.0.2.1"]},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        ({"externalName": "a.example"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
    ],
)
def test_what_has_no_effect(spec, texts):
    assert said(**spec) == texts


def test_the_old_annotation():
    name = "service.kubernetes.io/topology-aware-hints"
    assert said({name: "auto"}) == [
        f"annotation {name} is deprecated, please use service.kubernetes.io/topology-mode instead"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.1", []),
        ("2001:db8::1", []),
        ("2001:DB8:0::1", ['p: IPv6 address "2001:DB8:0::1" should be in RFC 5952 canonical format ("2001:db8::1")']),
    ],
)
def test_addresses(text, told):
    assert of_address("p", text) == told


def test_an_address_of_the_other_family():
    (text,) = of_address("p", "::ffff:1.2.3.4")
    assert text == (
        'p: non-standard IP address "::ffff:1.2.3.4" will be considered invalid in a future Kubernetes release: '
        'use "1.2.3.4"'
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.0/24", []),
        (
            "192.0.2.1/24",
            ['p: CIDR value "192.0.2.1/24" is ambiguous in this context (should be "192.0.2.0/24" or "192.0.2.1/32"?)'],
        ),
        (
            "2001:DB8::/64",
            ['p: IPv6 CIDR value "2001:DB8::/64" should be in RFC 5952 canonical format ("2001:db8::/64")'],
        ),
    ],
)
def test_ranges(text, told):
    assert of_range("p", text) == told

"""Services: defaults, what follows from the type, what an update keeps and loses, and what is refused."""

import copy

import pytest

from apimachinery import kinds as k
from apiserver.strategies import strategy_of
from apiserver.strategies.endpoints import endpoint_ip

SERVICES = strategy_of(k.SERVICES)


def service(old=None, **spec):
    tree = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
    return SERVICES.prepare(SERVICES.default(tree), old)


def complaints(tree, old=None):
    return [str(problem) for problem in SERVICES.check(tree, old)]


def test_defaults():
    assert service()["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
    }
    affine = service(sessionAffinity="ClientIP")["spec"]
    assert affine["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert service(type="NodePort")["spec"]["externalTrafficPolicy"] == "Cluster"
    assert service(type="LoadBalancer")["spec"]["allocateLoadBalancerNodePorts"] is True
    assert "internalTrafficPolicy" not in service(type="ExternalName", externalName="a.b")["spec"]
    assert service()["status"] == {"loadBalancer": {}}


def test_one_address_in_two_notations():
    assert service(clusterIP="None")["spec"]["clusterIPs"] == ["None"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, ["spec.ports: Required value"]),
        ({"ports": [], "clusterIP": "None"}, []),
        (
            {"ports": [{"port": 80}, {"port": 81}]},
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"ports": [{"port": 0}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            {"type": "NodePort", "clusterIP": "None"},
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        ({"type": "ExternalName", "ports": []}, ["spec.externalName: Required value"]),
        (
            {"type": "Odd"},
            [
                'spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
            ],
        ),
        (
            {"clusterIP": "1.2.3"},
            [
                'spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
            ],
        ),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
            [
                (
                    "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and "
                    "less than 86400"
                )
            ],
        ),
        (
            {"externalTrafficPolicy": "Local"},
            ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
    ],
)
def test_refusals(spec, expected):
    assert complaints(service(**spec)) == expected


OLD = service(type="NodePort")
OLD["spec"] |= {
    "clusterIP": "10.96.0.5",
    "clusterIPs": ["10.96.0.5"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
}
OLD["spec"]["ports"][0]["nodePort"] = 30001


def test_an_update_that_leaves_out_what_was_given_keeps_it():
    new = service(old=OLD, type="NodePort")
    assert new["spec"]["clusterIP"] == "10.96.0.5"
    assert new["spec"]["ports"][0]["nodePort"] == 30001
    assert complaints(new, OLD) == []


def test_the_address_is_for_life():
    new = service(old=OLD, type="NodePort", clusterIP="10.96.0.6")
    assert complaints(new, OLD) == ['spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set']


def test_a_new_type_drops_what_it_does_not_have():
    tree = copy.deepcopy(OLD)
    tree["spec"]["type"] = "ClusterIP"
    new = SERVICES.prepare(SERVICES.default(tree), OLD)["spec"]
    assert "nodePort" not in new["ports"][0]
    assert "externalTrafficPolicy" not in new
    assert new["clusterIP"] == "10.96.0.5"
    tree = copy.deepcopy(OLD)
    tree["spec"] |= {"type": "ExternalName", "externalName": "a.b"}
    new = SERVICES.prepare(SERVICES.default(tree), OLD)
    assert "clusterIP" not in new["spec"]
    assert "clusterIPs" not in new["spec"]
    assert complaints(new, OLD) == []


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("x", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("0.0.0.0", "may not be unspecified (0.0.0.0)"),
        ("127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("fe80::1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ],
)
def test_an_address_is_some_machines(address, detail):
    assert complaints(service(externalIPs=[address])) == [f'spec.externalIPs[0]: Invalid value: "{address}": {detail}']
    twice = ["must be a valid IP address"] if address == "x" else []  # upstream says it in both ways
    assert [each.detail for each in endpoint_ip("ip", address)] == [detail, *twice]


def test_an_ordinary_address_may_be_from_outside():
    assert complaints(service(externalIPs=["192.0.2.1", "2001:db8::1"])) == []
    assert [*endpoint_ip("ip", "192.0.2.1")] == []

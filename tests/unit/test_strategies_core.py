"""Rules of the core group that chance-made objects found: what a pod needs as a whole, what stays, what is said of it."""

import base64
import copy
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apimachinery import kinds, quantity, references
from apiserver.allocation import families
from apiserver.strategies import key_pairs, strategy_of
from apiserver.strategies.pod import port_warnings

PODS, SERVICES, NODES = (strategy_of(kind) for kind in (kinds.PODS, kinds.SERVICES, kinds.NODES))
CLAIMS, VOLUMES = strategy_of(kinds.PERSISTENTVOLUMECLAIMS), strategy_of(kinds.PERSISTENTVOLUMES)


def pod(*containers, **spec):
    made = [{"name": f"c{i}", "image": "busybox:1", **more} for i, more in enumerate(containers or ({},))]
    return defaulted(PODS, {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": made, **spec}})


def defaulted(strategy, tree, old=None):
    return strategy.prepare(strategy.default(copy.deepcopy(tree)), old)


def changed(tree, **spec):
    return defaulted(PODS, {**tree, "spec": {**tree["spec"], **spec}}, tree)


def texts(problems):
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("busybox", ("", "")),
        ("busybox:1", ("1", "")),
        ("host:5000/a/b:latest", ("latest", "")),
        ("a:latest@sha256:" + "0" * 64, ("latest", "sha256:" + "0" * 64)),
        ("a@sha256:" + "0" * 63, None),
        ("../x", None),
        ("Upper", None),
        ("0" * 64, None),
        ("x" * 254, None),  # with `library/` before it, it is too long
    ],
)
def test_images_are_read_as_docker_reads_them(image, expected):
    assert references.tag_and_digest(image) == expected


@pytest.mark.parametrize(("image", "policy"), [("a:latest@sha256:" + "0" * 64, "Always"), ("../x", "IfNotPresent")])
def test_whether_an_image_is_always_pulled(image, policy):
    assert pod({"image": image})["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_pod_asks_as_a_whole_for_what_its_containers_ask_for_and_else_for_its_limits():
    resources = {"limits": {"memory": "1Gi", "cpu": "2"}}
    made = pod(
        {"resources": {"requests": {"cpu": "1"}}}, {"resources": {"requests": {"cpu": "500m"}}}, resources=resources
    )
    assert made["spec"]["resources"]["requests"] == {"cpu": "1500m", "memory": "1Gi"}
    assert made["status"]["qosClass"] == "Burstable"


def test_huge_pages_of_containers_are_the_pods():
    huge = {"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"hugepages-2Mi": "4Mi"}}
    made = pod({"resources": huge}, resources={"limits": {"cpu": "1"}})
    assert made["spec"]["resources"] == {
        "limits": {"cpu": "1", "hugepages-2Mi": "4Mi"},
        "requests": {"cpu": "1", "hugepages-2Mi": "4Mi"},
    }


def test_a_pod_has_enough_for_its_containers():
    asked = {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}
    made = pod({"resources": asked}, resources={"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}})
    path = "spec.resources"
    assert texts(PODS.check(made, None)) == [
        f'{path}.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
        f'{path}.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
        f'{path}.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi',
    ]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([{"name": "r"}, {"name": "r"}], ['[1]: Duplicate value: "r"']),
        ([{"name": "r", "request": "a"}, {"name": "r", "request": "b"}], []),
        ([{"name": "r", "request": "a"}, {"name": "r", "request": "a"}], ['[1]: Duplicate value: "r/a"']),
        ([{"name": "r", "request": "a"}, {"name": "r"}], ['[1]: Duplicate value: "r"']),
        ([{}], ["[0]: Required value"]),
        ([{"name": "z"}], ['[0]: Not found: "z": must be one of the names in pod.spec.resourceClaims: q, r']),
    ],
)  # fmt: skip
def test_no_claim_is_meant_twice(claims, expected):
    known = [{"name": name, "resourceClaimName": "x"} for name in ("r", "q")]
    made = pod({"resources": {"claims": claims}}, resourceClaims=known)
    here = "spec.containers[0].resources.claims"
    assert texts(PODS.check(made, None)) == [f"{here}{text}" for text in expected]


def test_a_gated_pod_is_only_narrowed_down():
    gated = pod(schedulingGates=[{"name": "g"}], nodeSelector={"a": "b"})
    assert PODS.check(changed(gated, nodeSelector={"a": "b", "c": "d"}), gated) == []
    why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    found = texts(PODS.check(changed(gated, nodeSelector={"c": "d"}), gated))
    assert found == [f'spec.nodeSelector: Invalid value: {{"c":"d"}}: {why}']


def test_windows_pods_say_nothing_of_linux():
    made = pod({"securityContext": {"runAsUser": 1}}, os={"name": "windows"}, hostPID=True)
    assert texts(PODS.check(made, None)) == [
        "spec.hostPID: Forbidden: cannot be set for a windows pod",
        "spec.containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
    ]


def test_processes_of_the_host_are_all_or_none():
    options = {"securityContext": {"windowsOptions": {"hostProcess": True}}}
    assert texts(PODS.check(pod(options, {}), None)) == [
        (
            'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess '
            "containers"
        ),
        "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
    ]


def test_resizing_leaves_the_rest_and_takes_nothing_away():
    both = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    old = pod({"resources": both})
    part = PODS.parts["resize"]
    new = copy.deepcopy(old)
    new["spec"]["containers"][0] |= {"image": "ignored", "resources": {"requests": {"cpu": "500m"}}}
    new = part.prepare(new, old)
    assert new["spec"]["containers"][0]["image"] == "busybox:1"
    assert texts(part.check(new, old)) == [
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"
    ]


def test_a_pod_that_says_what_it_needs_as_a_whole_is_not_resized():
    old = pod(resources={"limits": {"cpu": "1"}})
    part = PODS.parts["resize"]
    assert texts(part.check(part.prepare(copy.deepcopy(old), old), old)) == [
        "[]: Forbidden: pods with pod-level resources cannot be resized"
    ]


def test_old_writers_of_addresses_count():
    tree = {
        "metadata": {"name": "p"},
        "spec": {"containers": []},
        "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "x"}]},
    }
    assert PODS.default(tree)["status"]["podIPs"] == [{"ip": "10.0.0.1"}]
    node = NODES.default({"metadata": {"name": "n"}, "spec": {"podCIDR": "10.0.0.0/24"}})
    assert node["spec"]["podCIDRs"] == ["10.0.0.0/24"]


def test_generations_in_a_status_are_not_lost_by_who_does_not_know_them():
    old = pod()
    old["status"] |= {"observedGeneration": 2, "conditions": [{"type": "X", "observedGeneration": 1}]}
    new = {**old, "status": {"qosClass": "BestEffort", "conditions": [{"type": "X"}, {"type": "X"}]}}
    kept = PODS.prepare_status(copy.deepcopy(new), old)["status"]
    assert kept["observedGeneration"] == 2
    assert kept["conditions"] == [{"type": "X", "observedGeneration": 1}, {"type": "X"}]


def service(**spec):
    return defaulted(SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}})


def test_addresses_of_a_service_are_looked_at_first_and_alone():
    tree = service(clusterIPs=["fd00::1", "x"], loadBalancerClass="not looked at")
    assert texts(families.settle(tree["spec"], None, ["IPv4"])) == [
        'spec.clusterIPs: Invalid value: ["fd00::1","x"]: must be empty when `clusterIP` is not specified',
        'spec.clusterIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ]


def test_node_ports_go_with_their_names():
    old = service(
        type="NodePort",
        ports=[{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2, "nodePort": 30002}],
    )
    spec = {**old["spec"], "ports": [{"name": "b", "port": 1, "protocol": "TCP"}, {"name": "c", "port": 2}]}
    new = defaulted(SERVICES, {**old, "spec": spec}, old)
    assert [entry.get("nodePort") for entry in new["spec"]["ports"]] == [30002, None]


def test_the_class_of_a_load_balancer_is_for_life():
    old = service(type="LoadBalancer", loadBalancerClass="a/b")
    new = defaulted(SERVICES, {**old, "spec": {**old["spec"], "loadBalancerClass": "a/c"}}, old)
    assert 'spec.loadBalancerClass: Invalid value: "a/c": may not change once set' in texts(SERVICES.check(new, old))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"csi": {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": {"name": "s"}}}, ["spec.csi.nodePublishSecretRef.namespace: Required value"]),
        ({"flexVolume": {"driver": "d", "options": {"a.K8S.io/b": "c"}}}, ['spec.flexVolume.options[a.K8S.io/b]: Invalid value: "a.K8S.io/b": kubernetes.io and k8s.io namespaces are reserved']),
        ({"nfs": {"server": "s", "path": "/"}, "cephfs": {}}, ["spec.cephFS: Forbidden: may not specify more than 1 volume type"]),
    ],
)  # fmt: skip
def test_sources_of_volumes(source, expected):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **source}
    tree = defaulted(VOLUMES, {"metadata": {"name": "v"}, "spec": spec})
    assert texts(VOLUMES.check(tree, None)) == expected


def test_a_claims_growth_is_of_storage():
    status = {"allocatedResourceStatuses": {"cpu": "NodeResizePending", "storage": "Odd"}}
    assert [problem.body() for problem in CLAIMS.check_status({"status": status}, None)] == [
        'Unsupported value: "cpu": supported values: "storage"',
        (
            'Unsupported value: "storage": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", '
            '"NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"'
        ),
    ]


def test_pods_are_warned_of_what_hides_or_overlaps():
    container = {
        "env": [{"name": "A", "value": "x"}, {"name": "A", "value": "$(A)y"}, {"name": "A", "value": "z"}],
        "ports": [
            {"containerPort": 1, "name": "p"},
            {"containerPort": 1, "hostPort": 2},
            {"containerPort": 3, "name": "p"},
        ],
    }
    items = [{"key": "k", "path": "a/b"}, {"key": "l", "path": "a"}]
    made = pod(container, volumes=[{"name": "v", "secret": {"secretName": "s", "items": items}}])
    where = "spec.containers[0]"
    assert PODS.warnings(made, None) == [
        'volume "v" (Secret "s"): overlapping paths: "a" with "a/b"',
        f'{where}.env[2]: hides previous definition of "A", which may be dropped when using apply',
        f"{where}.ports[1]: overlapping port definition with {where}.ports[0]",
        (
            f'{where}.ports[2]: duplicate port name "p" with {where}.ports[0], services and probes that select ports by name '
            f"will use {where}.ports[0]"
        ),
    ]
    assert PODS.warnings(made, made) == []


HOSTS = [{}, {"hostPort": 1}, {"hostPort": 2}, {"hostPort": 1, "hostIP": "a"}, {"hostPort": 1, "hostIP": "b"}]


def clash(one, other):
    """As upstream compares two ports of a number."""
    (ip, port), (its_ip, its_port) = ((it.get("hostIP", ""), it.get("hostPort", 0)) for it in (one, other))
    if (ip, port) == (its_ip, its_port):
        return "duplicate"
    if not port or not its_port:
        return "overlapping"
    return "dangerously ambiguous" if port == its_port and bool(ip) != bool(its_ip) else ""


def test_ports_that_clash_are_told_of_in_pairs():
    ports = [{"containerPort": 1, **host} for host in HOSTS * 2]
    assert list(port_warnings.of_ports([("c", {"ports": ports})])) == [
        f"c.ports[{i}]: {how} port definition with c.ports[{j}]"
        for i, one in enumerate(ports)
        for j, other in enumerate(ports[:i])
        if (how := clash(one, other))
    ]


@pytest.mark.parametrize("host", [lambda _i: {}, lambda i: {"hostPort": 1, "hostIP": str(i)}])
def test_many_ports_are_warned_of_in_a_moment(host):
    made = pod({"ports": [{"containerPort": 1, **host(i)} for i in range(8000)]})
    began = time.process_time()
    assert len(PODS.warnings(made, None)) <= 4096
    assert time.process_time() - began < 2


def pem(kind, data):
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (kind, base64.b64encode(data), kind)


def test_a_certificate_and_a_key_that_do_not_belong_together_are_told_of():
    secrets = strategy_of(kinds.SECRETS)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    day = datetime(2024, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, keys[0].public_key(), 1, day, day + timedelta(1))
    certificate = builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM)
    texts_of = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in keys]
    for crt, key, expected in (
        (certificate, texts_of[0], []),
        (certificate, texts_of[1], ["tls: private key does not match public key"]),
        (certificate, certificate, ["tls: found a certificate rather than a key in the PEM for the private key"]),
        (certificate, pem(b"PRIVATE KEY", b"x"), ["tls: failed to parse private key"]),
        (pem(b"CERTIFICATE", b"x"), texts_of[0], ["x509: malformed certificate"]),
        (b"x", b"y", ["tls: failed to find any PEM data in certificate input"]),
    ):
        data = {"tls.crt": base64.b64encode(crt).decode(), "tls.key": base64.b64encode(key).decode()}
        assert secrets.warnings({"type": "kubernetes.io/tls", "data": data}, None) == expected


BEGIN = b"-----BEGIN %s-----\n"


@pytest.mark.parametrize("text", [BEGIN % b"A" * 20000, b"".join(BEGIN % b"%d" % i for i in range(20000))])
def test_blocks_that_never_end_are_passed_over_in_a_moment(text):
    began = time.process_time()
    assert key_pairs._blocks(text + pem(b"B", b"x")) == [("B", b"x")]
    assert time.process_time() - began < 1


def test_the_dashes_of_one_end_may_begin_another():
    assert key_pairs._blocks(BEGIN % b"B" + b"-----END A-----END B-----\n" + pem(b"A", b"x")) == [("A", b"x")]
    assert key_pairs._blocks(pem(b"A", b"x") + pem(b"B", b"") + pem(b"A", b"y")) == [
        ("A", b"x"),
        ("B", b""),
        ("A", b"y"),
    ]


@pytest.mark.parametrize(
    ("text", "rounded"), [("100n", "1m"), ("1u", "1m"), ("1500u", "2m"), ("5m", "5m"), ("-1u", "-1m")]
)
def test_lists_of_resources_have_whole_thousandths(text, rounded):
    assert quantity.rounded_to_milli(text) == rounded

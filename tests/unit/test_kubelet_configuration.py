"""KubeletConfiguration files: what is honoured, and what is refused."""

import pytest

from kubelet.bounds import check
from kubelet.configuration import BadConfiguration, Configuration, parse, parse_duration
from kubelet.configz import served
from kubelet.node_status import Machine
from kubelet.options import configured

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"

#: What kubeadm writes: zero values everywhere.
KUBEADM = (
    HEAD
    + """
authentication: {anonymous: {enabled: false}, webhook: {cacheTTL: 0s, enabled: true}, x509: {clientCAFile: /pki/ca.crt}}
authorization: {mode: Webhook, webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}}
cgroupDriver: systemd
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}}, verbosity: 0}
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
resolvConf: /run/systemd/resolve/resolv.conf
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: /etc/kubernetes/manifests
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
"""
)


def test_kubeadms_file_is_read():
    found = parse(KUBEADM)
    assert (found.client_ca_file, found.cluster_dns, found.static_pod_path) == (
        "/pki/ca.crt",
        ("10.96.0.10",),
        "/etc/kubernetes/manifests",
    )
    assert (found.cgroup_driver, found.eviction_pressure_transition_period) == ("systemd", 300.0)
    assert found.eviction_hard == Configuration().eviction_hard


def test_how_long_logs_may_grow():
    assert (parse(HEAD).log_max_size, parse(HEAD).log_max_files) == (10 << 20, 5)
    found = parse(HEAD + "containerLogMaxSize: 1500Ki\ncontainerLogMaxFiles: 2\n")
    assert (found.log_max_size, found.log_max_files) == (1500 << 10, 2)
    assert served(found)["containerLogMaxSize"] == "1500Ki"


def test_what_is_in_force_is_shown_with_upstreams_defaults():
    shown = served(parse(HEAD))
    assert (shown["syncFrequency"], shown["maxPods"], shown["eventBurst"]) == ("1m0s", 110, 100)
    assert shown["authentication"] == {
        "x509": {},
        "webhook": {"enabled": True, "cacheTTL": "2m0s"},
        "anonymous": {"enabled": False},
    }
    assert shown["memorySwap"] == {}
    assert not {"kind", "apiVersion", "clusterDNS", "staticPodPath"} & shown.keys()


def test_the_file_and_the_flags_go_over_the_defaults():
    text = "syncFrequency: 5s\nruntimeRequestTimeout: 0s\nmaxPods: 7\nauthentication: {webhook: {cacheTTL: 1s}, x509: {clientCAFile: /ca}}\n"
    shown = served(configured(HEAD + text, {"max_pods": 9}))
    assert (shown["syncFrequency"], shown["maxPods"], shown["runtimeRequestTimeout"]) == ("5s", 9, "2m0s")
    assert shown["authentication"]["webhook"] == {"enabled": True, "cacheTTL": "1s"}
    assert shown["authentication"]["x509"] == {"clientCAFile": "/ca"}


def test_amounts_and_durations():
    text = "maxPods: 20\nsystemReserved: {cpu: 200m, memory: 1Gi}\nshutdownGracePeriod: 1m30s\npodPidsLimit: 64\n"
    found = parse(
        HEAD + text + "evictionSoft: {memory.available: 5%}\nevictionSoftGracePeriod: {memory.available: 2m}\n"
    )
    assert (found.max_pods, found.pod_pids_limit, found.shutdown_grace_period) == (20, 64, 90.0)
    assert (found.system_reserved, found.eviction_soft_grace_period) == (
        {"cpu": "200m", "memory": "1Gi"},
        {"memory.available": 120.0},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: KubeletConfiguration", "holds no KubeletConfiguration"),
        ("a: [", "error decoding"),
        (HEAD + "maxPod: 3", 'unknown field "maxPod"'),
        (HEAD + "containerLogMaxFiles: 1", "invalid MaxFiles 1, must be > 1"),
        (HEAD + "containerLogMaxSize: big", "failed to parse container log max size 'big'"),
        (HEAD + "maxPods: many", "maxPods: 'many' is no integer"),
        (HEAD + "featureGates: {InPlacePodVerticalScaling: false}", "featureGates: .* is not supported"),
        (HEAD + "cpuManagerPolicy: static", "cpuManagerPolicy: 'static' is not supported, only 'none'"),
        (HEAD + "authentication: {anonymous: {enabled: true}}", "nothing is anonymous"),
        (HEAD + "authorization: {mode: AlwaysAllow}", "not supported, only Webhook"),
        (HEAD + "shutdownGracePeriod: 10", "invalid duration"),
        (HEAD + "shutdownGracePeriodCriticalPods: 10s", "must be <= shutdownGracePeriod"),
        (HEAD + "evictionSoft: {memory.available: 5%}", "grace period must be specified"),
        (HEAD + "evictionHard: {memory.left: 5%}", "unsupported eviction signal"),
        (HEAD + "systemReserved: {gold: 1}", "cannot reserve 'gold' resource"),
        (HEAD + "cgroupsPerQOS: false", "cgroupsPerQOS: False is not supported"),
        (HEAD + "readOnlyPort: 10255", "readOnlyPort: 10255 is not supported"),
        (HEAD + "featureGates: {MemoryQoS: 1}", "neither true nor false"),
        (HEAD + "memorySwap: {swapBehavior: Lots}", 'swapBehavior "Lots" must be one of'),
        (HEAD + "memoryThrottlingFactor: 2", "must be greater than 0 and less than or equal to 1.0"),
        (HEAD + "maxParallelImagePulls: 0", "maxParallelImagePulls 0 must be a positive number"),
        (HEAD + "serializeImagePulls: true\nmaxParallelImagePulls: 2", "cannot be larger than 1 unless Serial"),
        (HEAD + "crashLoopBackOff: {maxContainerRestartPeriod: 10s}", "KubeletCrashLoopBackOffMax not enabled"),
    ],
)
def test_what_is_refused(text, problem):
    with pytest.raises(BadConfiguration, match=problem):
        parse(text)


@pytest.mark.parametrize(
    ("text", "serial", "most"),
    [
        ("", True, None),
        ("serializeImagePulls: true", True, None),
        ("serializeImagePulls: false", False, None),
        ("maxParallelImagePulls: 1", True, 1),
        ("maxParallelImagePulls: 3", False, 3),
    ],
)
def test_how_many_images_are_pulled_side_by_side(text, serial, most):
    found = served(parse(HEAD + text))
    assert (found["serializeImagePulls"], found.get("maxParallelImagePulls")) == (serial, most)


def test_flags_and_the_file_have_to_go_together():
    assert configured("", {"max_parallel_image_pulls": 4, "max_pods": None}).max_pods == 110
    with pytest.raises(BadConfiguration, match="maxParallelImagePulls cannot be larger"):
        configured(HEAD + "serializeImagePulls: true", {"max_parallel_image_pulls": 4})


MACHINE = Machine(
    cpus=1, memory=1, disk=1, architecture="", kernel="", os_image="", machine_id="", system_uuid="", boot_id="", swap=9
)


@pytest.mark.parametrize(
    ("text", "unified", "problem"),
    [
        ("failSwapOn: true", True, "running with swap on is not supported"),
        ("failSwapOn: false", False, ""),
        ("failSwapOn: false\nmemorySwap: {swapBehavior: LimitedSwap}", True, ""),
        ("failSwapOn: false\nmemorySwap: {swapBehavior: LimitedSwap}", False, "LimitedSwap needs cgroup v2"),
        ("failSwapOn: false\nfeatureGates: {MemoryQoS: true}", False, "MemoryQoS needs cgroup v2"),
        ("failSwapOn: false\nfeatureGates: {MemoryQoS: true}", True, ""),
    ],
)
def test_what_the_machine_has_to_have(text, unified, problem):
    found = parse(HEAD + text)
    if not problem:
        check(found, MACHINE, unified=unified)
        return
    with pytest.raises(BadConfiguration, match=problem):
        check(found, MACHINE, unified=unified)


def test_durations():
    assert [parse_duration(t) for t in ("0s", "1h2m3s", "100ms", 0)] == [0.0, 3723.0, 0.1, 0.0]

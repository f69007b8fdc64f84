"""What the node and its pods use, as clients read it, and the files that it is read from."""

from prometheus_client.parser import text_string_to_metric_families

from kubelet.metrics import watch_claims
from kubelet.probe_counts import ProbeCounts
from kubelet.runtime.protocol import PodRef
from kubelet.stats import ContainerUse, PodMeasures, Snapshot, cadvisor_metrics, resource_metrics, summary
from kubelet.usage import FileSystem, Interface, Processes, Usage, interfaces, tree
from kubelet.volume_stats import VolumeStats
from kubelet.volumes.fake import FakeVolumes
from kubelet.volumes.protocol import VolumeUse
from serving.exposition import Families
from tests.unit.kubelet_builders import pod

DISK = FileSystem(capacity=1000, available=400, inodes=50, inodes_free=30)
MAIN = ContainerUse(
    id="abc", name="main", image="i", started_at=5.0, usage=Usage(2_000_000_000, 300, 200, rss=100, limit=500),
    nano_cores=7, layer=(40, 2), log=(10, 1), shares=102, quota=5000, period=100_000,
)  # fmt: skip
WEB = PodMeasures(
    ref=PodRef("default", 'w"eb', "uid-1"), started_at=4.0, containers=[MAIN], total=Usage(3_000_000_000, 400, 300),
    network=[Interface("eth0", 1, 2, 3, 4, 5, 6)],
    volumes={"v": VolumeUse(1000, 400, 20, 50, 30, 3, is_local=True), "data": VolumeUse(9, 5, 4, claim="c")}, processes=9,
)  # fmt: skip
TAKEN = Snapshot(
    now=100.0, node_name="n1", started_at=1.0, node=Usage(9_000_000_000, 800, 700, limit=1024), nano_cores=11,
    network=[Interface("eth0", 10, 20, 30, 40, 50, 60)], root=DISK, images=DISK, image_bytes=77,
    processes=Processes(12, 100), system=[], pods=[WEB], cpus=2,
)  # fmt: skip


def test_the_summary():
    told = summary(TAKEN)
    node, (one,) = told["node"], told["pods"]
    assert (node["cpu"]["usageNanoCores"], node["memory"]["availableBytes"]) == (11, 324)
    assert (node["fs"]["usedBytes"], node["fs"]["inodesUsed"]) == (600, 20)
    assert (node["runtime"]["imageFs"]["usedBytes"], node["rlimit"]["curproc"]) == (77, 12)
    assert (one["cpu"]["usageCoreNanoSeconds"], one["network"]["rxBytes"], one["process_stats"]["process_count"]) == (
        3_000_000_000,
        1,
        9,
    )
    assert (one["volume"][0]["name"], one["volume"][0]["usedBytes"], one["ephemeral-storage"]["usedBytes"]) == (
        "v",
        20,
        70,
    )
    assert one["volume"][1]["pvcRef"] == {"name": "c", "namespace": "default"}
    (container,) = one["containers"]
    assert (container["memory"]["rssBytes"], container["rootfs"]["usedBytes"], container["logs"]["usedBytes"]) == (
        100,
        40,
        10,
    )


def samples(text):
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_the_metrics_of_resources():
    found = samples(resource_metrics(TAKEN))
    labels = (("container", "main"), ("namespace", "default"), ("pod", 'w"eb'))
    assert found["container_cpu_usage_seconds_total", labels] == 2.0
    assert found["container_memory_working_set_bytes", labels] == 200.0
    assert found["pod_memory_working_set_bytes", labels[1:]] == 300.0
    assert found["node_cpu_usage_seconds_total", ()] == 9.0
    assert found["resource_scrape_error", ()] == 0.0


def test_the_metrics_of_cgroups():
    found = {
        (name, dict(labels).get("container")): value
        for (name, labels), value in samples(cadvisor_metrics(TAKEN)).items()
    }
    assert found["container_cpu_usage_seconds_total", "main"] == 2.0
    assert found["container_spec_cpu_quota", "main"] == 5000.0
    assert found["container_fs_usage_bytes", "main"] == 40.0
    assert found["machine_memory_bytes", None] == 1024.0
    assert ("container_spec_cpu_quota", "") not in found


class Slow(FakeVolumes):
    """Counts how often it is asked."""

    def __init__(self, *claims):
        super().__init__()
        self.asked, self.all = [], {f"v{i}": VolumeUse(9, 5, 4, 3, 2, 1, claim=c) for i, c in enumerate(claims)}

    async def usage(self, pod):
        self.asked.append(pod.metadata.uid)
        return self.all


async def test_the_volumes_of_claims_are_measured_once_a_minute_and_told_once():
    now, volumes, families, pods = [0.0], Slow("data", "", "data"), Families(about_itself=False), [pod()]
    kept = VolumeStats(volumes=volumes, pods=lambda: pods, clock=lambda: now[0])
    watch_claims(kept.claims, families=families)
    await kept.look()
    now[0] = 59
    assert list((await kept.look())["uid-1"]) == ["v0", "v1", "v2"]
    now[0] = 60
    await kept.look()
    assert volumes.asked == ["uid-1", "uid-1"]
    found = samples(families.text().decode())
    of = (("namespace", "default"), ("persistentvolumeclaim", "data"))
    assert found["kubelet_volume_stats_capacity_bytes", of] == 9.0
    assert found["kubelet_volume_stats_inodes_used", of] == 1.0
    assert len(found) == 6
    pods.clear()
    await kept.look()
    assert list(kept.claims()) == []


def test_probes_are_counted_until_their_pod_goes():
    counts = ProbeCounts()
    counts.count(pod(), "main", "Liveness", passed=True)
    counts.count(pod(), "main", "Liveness", passed=True)
    counts.count(pod(), "main", "Liveness", passed=False)
    found = {dict(labels)["result"]: value for (_, labels), value in samples(counts.text()).items()}
    assert found == {"successful": 2.0, "failed": 1.0}
    counts.forget("uid-1")
    assert samples(counts.text()) == {}


def test_interfaces_that_count_bytes_once_more_are_left_out():
    text = "head\nhead\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n eth0: 9 8 7 0 0 0 0 0 6 5 4 0 0 0 0 0\n"
    text += "vethx: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
    assert interfaces(text) == [Interface("eth0", 9, 8, 7, 6, 5, 4)]


def test_what_a_folder_holds(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_bytes(b"x" * 8192)
    used, inodes = tree(tmp_path)
    assert used >= 8192
    assert inodes == 2
    assert tree(tmp_path / "absent") == (0, 0)

"""Jobs and CronJobs on a whole cluster: pods that end as their annotation says."""

import pytest

from apimachinery.kinds import CRONJOBS, JOBS, PODS
from apimachinery.times import rfc3339
from tests.cluster.kubelets import LIFE, Stage, _annotated
from tests.cluster.simulation import EPOCH, Cluster

ENDS = "simulation/ends-after"
CODES = "simulation/exit-codes"  # by index, else the first


def _ended(pod, moment, _address):
    codes = pod.metadata.annotations.get(CODES, "0").split(",")
    index = int(pod.metadata.annotations.get("batch.kubernetes.io/job-completion-index", "0"))
    code = int(codes[min(index, len(codes) - 1)])
    ended = {"terminated": {"exitCode": code, "finishedAt": moment}}
    conditions = [{"type": "Ready", "status": "False", "lastTransitionTime": moment}]
    statuses = [{"name": "c", "ready": False, "restartCount": 0, "image": "i", "imageID": "", "state": ended}]
    return {"phase": "Failed" if code else "Succeeded", "conditions": conditions, "containerStatuses": statuses}


def _has_ended(pod):
    return pod.status.phase in ("Succeeded", "Failed")


STAGES = (
    *LIFE[:2],
    Stage("rest", _has_ended, lambda _pod: float("inf"), None),
    Stage("end", lambda pod: pod.status.phase == "Running", _annotated(ENDS, 1.0), _ended),
)


def cluster(**more):
    return Cluster(nodes=1, stages=STAGES, **more)


def job(name="work", codes="0", ends="1", **spec):
    template = {
        "metadata": {"annotations": {CODES: codes, ENDS: ends}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


def conditions(found):
    return {c["type"]: (c["status"], c.get("reason", "")) for c in found["status"].get("conditions", ())}


async def finalizers(c):
    return [pod["metadata"]["name"] for pod in await c.items(PODS) if pod["metadata"].get("finalizers")]


async def test_a_job_runs_to_its_completions():
    async with cluster() as c:
        await c.apply(job(completions=5, parallelism=2))
        await c.settle()
        found = await c.get(JOBS, "work")
        status = found["status"]
        assert (status["succeeded"], status.get("failed"), status.get("active")) == (5, None, None)
        assert (status["ready"], status["terminating"], status["uncountedTerminatedPods"]) == (0, 0, {})
        assert conditions(found) == {
            "SuccessCriteriaMet": ("True", "CompletionsReached"),
            "Complete": ("True", "CompletionsReached"),
        }
        assert status["startTime"] <= status["completionTime"]
        assert len(await c.items(PODS)) == 5
        assert await finalizers(c) == []
        assert await c.messages("Completed") == ["Job completed"]
        assert len(await c.messages("SuccessfulCreate")) == 5


async def test_failures_are_backed_off_and_limited():
    async with cluster() as c:
        await c.apply(job(codes="1", backoffLimit=2))
        await c.settle(quiet=60)
        found = await c.get(JOBS, "work")
        assert found["status"]["failed"] == 3
        assert conditions(found) == {
            "FailureTarget": ("True", "BackoffLimitExceeded"),
            "Failed": ("True", "BackoffLimitExceeded"),
        }
        assert await c.messages("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]
        made = sorted(pod["metadata"]["creationTimestamp"] for pod in await c.items(PODS))
        assert len(made) == 3
        assert await finalizers(c) == []


async def test_an_indexed_job_knows_its_indexes():
    async with cluster() as c:
        await c.apply(job(completions=4, parallelism=4, completionMode="Indexed"))
        await c.settle()
        found = await c.get(JOBS, "work")
        assert (found["status"]["completedIndexes"], found["status"]["succeeded"]) == ("0-3", 4)
        pod = next(p for p in await c.items(PODS) if p["metadata"]["name"].startswith("work-2-"))
        assert pod["spec"]["hostname"] == "work-2"
        assert pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "2"
        (variable,) = pod["spec"]["containers"][0]["env"]
        path = variable["valueFrom"]["fieldRef"]["fieldPath"]
        assert (variable["name"], path) == (
            "JOB_COMPLETION_INDEX",
            "metadata.labels['batch.kubernetes.io/job-completion-index']",
        )


async def test_indexes_fail_by_themselves():
    async with cluster() as c:
        spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1}
        await c.apply(job(codes="0,1,0", **spec))
        await c.settle(quiet=60)
        found = await c.get(JOBS, "work")
        status = found["status"]
        assert (status["completedIndexes"], status["failedIndexes"], status["failed"]) == ("0,2", "1", 2)
        assert conditions(found)["Failed"] == ("True", "FailedIndexes")
        assert await finalizers(c) == []


@pytest.mark.parametrize(
    ("action", "expected", "failed"),
    [("FailJob", "PodFailurePolicy", 1), ("Count", "BackoffLimitExceeded", 1)],
)
async def test_a_failure_policy_decides(action, expected, failed):
    rule = {"action": action, "onExitCodes": {"operator": "In", "values": [3]}}
    async with cluster() as c:
        await c.apply(job(codes="3", backoffLimit=0, podFailurePolicy={"rules": [rule]}))
        await c.settle(quiet=30)
        found = await c.get(JOBS, "work")
        assert conditions(found)["Failed"] == ("True", expected)
        assert found["status"]["failed"] == failed


async def test_a_success_policy_ends_a_job_early():
    policy = {"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]}
    async with cluster() as c:
        spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed", "successPolicy": policy}
        await c.apply(job(codes="1,0,1", **spec))
        await c.settle(quiet=30)
        found = await c.get(JOBS, "work")
        assert conditions(found)["Complete"] == ("True", "SuccessPolicy")
        assert found["status"]["completedIndexes"] == "1"


async def test_a_deadline_ends_a_job():
    async with cluster() as c:
        await c.apply(job(ends="never", activeDeadlineSeconds=20))
        await c.settle(quiet=30)
        found = await c.get(JOBS, "work")
        assert conditions(found)["Failed"] == ("True", "DeadlineExceeded")
        assert (found["status"]["failed"], found["status"]["terminating"]) == (1, 0)
        assert await c.items(PODS) == []


async def test_a_job_is_suspended_and_resumed():
    async with cluster() as c:
        await c.apply(job(suspend=True))
        await c.settle()
        found = await c.get(JOBS, "work")
        assert conditions(found) == {"Suspended": ("True", "JobSuspended")}
        assert "startTime" not in found["status"]
        await c.client.patch(JOBS, "default", "work", {"spec": {"suspend": False}})
        await c.settle()
        found = await c.get(JOBS, "work")
        assert conditions(found)["Suspended"] == ("False", "JobResumed")
        assert conditions(found)["Complete"][0] == "True"


async def test_a_started_job_is_suspended_and_starts_anew_when_resumed():
    async with cluster() as c:
        await c.apply(job(ends="never"))
        await c.settle()
        began = (await c.get(JOBS, "work"))["status"]["startTime"]
        for suspend in (True, False):
            await c.client.patch(JOBS, "default", "work", {"spec": {"suspend": suspend}})
            await c.settle()
        found = await c.get(JOBS, "work")
        assert conditions(found)["Suspended"] == ("False", "JobResumed")
        assert found["status"]["active"] == 1
        assert found["status"]["startTime"] > began


async def test_a_suspended_jobs_pods_do_not_count_as_failed():
    async with cluster() as c:
        await c.apply(job(ends="never"))
        await c.settle()
        assert (await c.get(JOBS, "work"))["status"]["active"] == 1
        await c.client.patch(JOBS, "default", "work", {"spec": {"suspend": True}})
        await c.settle()
        status = (await c.get(JOBS, "work"))["status"]
        assert (status.get("active"), status.get("failed"), await c.items(PODS)) == (None, None, [])


async def test_a_deleted_pod_is_replaced_and_a_deleted_job_lets_go():
    async with cluster() as c:
        await c.apply(job(ends="never"))
        await c.settle()
        (pod,) = await c.items(PODS)
        await c.client.delete(PODS, "default", pod["metadata"]["name"])
        await c.settle(quiet=20)
        (other,) = await c.items(PODS)
        assert other["metadata"]["uid"] != pod["metadata"]["uid"]
        assert (await c.get(JOBS, "work"))["status"]["failed"] == 1
        await c.client.delete(JOBS, "default", "work", propagation="Background")
        await c.settle()
        assert await c.items(PODS) == []


async def test_orphans_lose_their_finalizer():
    async with cluster() as c:
        await c.apply(job(ends="never"))
        await c.settle()
        await c.client.delete(JOBS, "default", "work", propagation="Orphan")
        await c.settle()
        assert len(await c.items(PODS)) == 1
        assert await finalizers(c) == []


async def test_a_finished_job_goes_after_its_time():
    async with cluster() as c:
        await c.apply(job(ttlSecondsAfterFinished=100))
        await c.settle()
        assert await c.get(JOBS, "work") is not None
        await c.advance(110)
        assert await c.get(JOBS, "work") is None
        assert await c.items(PODS) == []


@pytest.mark.parametrize("seed", range(3))
async def test_restarts_at_random_points_count_every_pod_once(seed):
    async with cluster(seed=seed) as c:
        await c.apply(job(completions=6, parallelism=3), job("other", codes="1", backoffLimit=1))
        for _ in range(12):
            await c.advance(c.random.uniform(0, 1.5))
            await c.restart_controllers()
        await c.settle(quiet=60)
        done, lost = await c.get(JOBS, "work"), await c.get(JOBS, "other")
        pods = await c.items(PODS)
        assert done["status"]["succeeded"] == 6 == sum(p["metadata"]["name"].startswith("work-") for p in pods)
        assert lost["status"]["failed"] == 2 == sum(p["metadata"]["name"].startswith("other-") for p in pods)
        assert await finalizers(c) == []


# ------------------------------------------------------------------------------------------------ CronJobs


def cron_job(schedule="*/1 * * * *", ends="1", codes="0", **spec):
    template = {"spec": job(ends=ends, codes=codes, backoffLimit=0)["spec"]}
    spec = {"schedule": schedule, "jobTemplate": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec}


async def test_a_cron_job_makes_jobs_and_keeps_the_latest():
    async with cluster() as c:
        await c.apply(cron_job(successfulJobsHistoryLimit=2))
        await c.advance(4 * 60)
        jobs = await c.items(JOBS)
        minute = int(EPOCH) // 60
        assert {each["metadata"]["name"] for each in jobs} <= {f"tick-{minute + i}" for i in range(7)}
        assert len(jobs) in (2, 3)
        found = await c.get(CRONJOBS, "tick")
        assert found["status"]["lastScheduleTime"] <= found["status"]["lastSuccessfulTime"] <= rfc3339(c.clock())
        assert await c.messages("SawCompletedJob")
        assert await c.messages("SuccessfulDelete")
        await c.client.patch(CRONJOBS, "default", "tick", {"spec": {"suspend": True}})
        await c.settle()
        assert not (await c.get(CRONJOBS, "tick"))["status"].get("active")


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
async def test_concurrency(policy, running):
    async with cluster() as c:
        await c.apply(cron_job(ends="never", concurrencyPolicy=policy))
        await c.advance(2 * 60 + 50)
        jobs = [each["metadata"]["name"] for each in await c.items(JOBS)]
        assert len(jobs) == running
        active = (await c.get(CRONJOBS, "tick"))["status"]["active"]
        assert sorted(each["name"] for each in active) == sorted(jobs)
        await c.client.delete(CRONJOBS, "default", "tick", propagation="Background")
        await c.settle()


async def test_a_missed_time_is_made_up_for_once():
    async with cluster() as c:
        await c.apply(cron_job(schedule="@every 2m"))
        await c.stop_controllers()
        await c.advance(7 * 60)
        c.start_controllers()
        await c.settle()
        assert len(await c.items(JOBS)) == 1
        await c.client.delete(CRONJOBS, "default", "tick", propagation="Background")
        await c.settle()

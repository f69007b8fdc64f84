"""Jobs and CronJobs: sets of indexes, policies, back-off, and the plan for one state at a time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.kinds import CRONJOBS, JOBS, PODS
from apimachinery.times import rfc3339
from apiserver.strategies.workloads import job_status
from client.plan import Create, Delete, Event, Failure, Key, Patch, Plan
from controllers.cronjob import CronJobController, job_name
from controllers.job import JobController
from controllers.job_indexes import Indexes
from controllers.job_policies import backoff, failure_annotations, judge
from controllers.ttl_after_finished import TTLAfterFinished
from controllers.views import (
    JOB_TRACKING,
    Pod,
)
from controllers.workload_views import (
    CronJob,
    Job,
)
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, pod

OWNED = [{"apiVersion": "batch/v1", "kind": "Job", "name": "web", "uid": "uid-web", "controller": True}]
INDEX = "batch.kubernetes.io/job-completion-index"


def job(status=None, **spec):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {
        "parallelism": 1,
        "backoffLimit": 6,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template,
    } | spec
    return {"metadata": meta("web", resourceVersion="7"), "spec": spec, "status": status or {}}


def mine(name, phase="Running", *, tracked=True, index=None, **more):
    more |= {"finalizers": [JOB_TRACKING]} if tracked else {}
    if index is not None:
        more["annotations"] = {INDEX: str(index)} | more.get("annotations", {})
    return pod(name, phase, ownerReferences=OWNED, **more)


def planned(tree, pods, now=NOW, failure=None, controller=None):
    view = FakeView({JOBS: [tree], PODS: pods}, failure)
    return (controller or JobController()).plan(KEY, view, now)


def status_of(plan):
    (patch,) = [write for write in plan.writes if isinstance(write, Patch) and write.kind is JOBS]
    assert (patch.subresource, patch.resource_version) == ("status", "7")
    return patch.body["status"]


def steps(plan):
    """The writes in order, as words."""
    words = []
    for write in plan.writes:
        match write:
            case Create():
                words.append("create")
            case Delete():
                words.append(f"delete {write.key.name}")
            case Patch(kind=kind) if kind is JOBS:
                words.append("status")
            case Patch():
                words.append(f"patch {write.key.name}")
    return words


# ------------------------------------------------------------------------------------------------ indexes


@pytest.mark.parametrize(
    ("text", "completions", "written"),
    [("", 9, ""), ("0,1", 9, "0,1"), ("0-2,3", 9, "0-3"), ("1-8", 4, "1-3"), ("7", 4, ""), ("x,2,3-y", 9, "2")],
)
def test_indexes_are_read_and_written(text, completions, written):
    assert str(Indexes.parse(text, completions)) == written


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.integers(0, 10))
def test_indexes_are_sets(a, b, count):
    one, other = Indexes().with_each(a), Indexes().with_each(b)
    assert Indexes.parse(str(one), 31) == one
    assert (len(one), len(one | other), one.common(other)) == (len(a), len(a | b), len(a & b))
    assert [each for each in range(31) if each in one] == sorted(a)
    assert list(one.missing(count, 20)) == sorted(set(range(20)) - a)[:count]


# ------------------------------------------------------------------------------------------------ policies


RULES = [
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
    {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}},
]


def ended(code, name="c", **more):
    tree = mine("p", "Failed", **more)
    tree["status"]["containerStatuses"] = [{"name": name, "state": {"terminated": {"exitCode": code}}}]
    return tree


@pytest.mark.parametrize(
    ("code", "name", "disrupted", "action", "message"),
    [
        (
            42,
            "c",
            False,
            "FailJob",
            "Container c for pod d/p failed with exit code 42 matching FailJob rule at index 1",
        ),
        (42, "other", False, "FailIndex", ""),
        (1, "c", False, "", ""),
        (0, "c", False, "", ""),
        (42, "c", True, "Ignore", ""),
    ],
)
def test_the_first_rule_that_a_failure_meets(code, name, disrupted, action, message):
    tree = ended(code, name)
    if disrupted:
        tree["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True"})
    found = judge(msgspec.convert(tree, Pod), msgspec.convert(job(podFailurePolicy={"rules": RULES}), Job))
    assert (found.action, found.message, found.counts) == (action, message, action != "Ignore")


def test_an_index_carries_its_failures_on():
    owner = msgspec.convert(job(podFailurePolicy={"rules": RULES}), Job)
    count, ignored = (
        "batch.kubernetes.io/job-index-failure-count",
        "batch.kubernetes.io/job-index-ignored-failure-count",
    )
    replaced = ended(1, annotations={count: "2"})
    assert failure_annotations(msgspec.convert(replaced, Pod), owner) == {count: "3"}
    replaced["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True"})
    assert failure_annotations(msgspec.convert(replaced, Pod), owner) == {count: "2", ignored: "1"}


@pytest.mark.parametrize(("failures", "delay"), [(0, 0), (1, 10), (2, 20), (6, 320), (7, 600), (10**6, 600)])
def test_backoff_doubles_up_to_ten_minutes(failures, delay):
    assert backoff(failures, NOW, NOW) == delay
    assert backoff(failures, NOW - delay, NOW) == 0


# ------------------------------------------------------------------------------------------------ plans


def test_a_new_job_gets_pods_and_a_status():
    plan = planned(job(completions=3, parallelism=2), [])
    assert steps(plan) == ["create", "create", "status"]
    assert status_of(plan) == {
        "active": 2,
        "ready": 0,
        "terminating": 0,
        "startTime": rfc3339(NOW),
        "uncountedTerminatedPods": {"succeeded": None, "failed": None},
    }
    assert plan.writes[0].body["metadata"]["finalizers"] == [JOB_TRACKING]


def test_after_a_refused_create_the_status_says_what_is():
    refused = Failure(Create(PODS, "d", {}), ApiError(403, "Forbidden", "no more"))
    plan = planned(job(completions=3), [], failure=refused)
    assert steps(plan) == ["status", "create"]
    assert "active" not in status_of(plan)


def test_a_pod_is_counted_in_three_writes():
    tree = job(completions=2, parallelism=2)
    first = planned(tree, [mine("a", "Succeeded"), mine("b")])
    assert steps(first) == ["status", "patch a"]
    assert status_of(first)["uncountedTerminatedPods"] == {"succeeded": ["uid-a"], "failed": None}
    assert "succeeded" not in status_of(first)
    tree["status"] = {"uncountedTerminatedPods": {"succeeded": ["uid-a"]}}
    assert steps(planned(tree, [mine("a", "Succeeded"), mine("b")])) == ["status", "patch a"]
    last = planned(tree, [mine("a", "Succeeded", tracked=False), mine("b")])
    assert status_of(last)["succeeded"] == 1
    assert status_of(last)["uncountedTerminatedPods"] == {"succeeded": None, "failed": None}


def test_a_verdict_is_told_first_and_final_when_no_pod_is_left():
    tree = job(completions=1, activeDeadlineSeconds=10, status={"startTime": rfc3339(NOW - 10)})
    plan = planned(tree, [mine("a")])
    assert steps(plan) == ["delete a", "status", "patch a"]
    told = status_of(plan)
    assert [(each["type"], each["reason"]) for each in told["conditions"]] == [("FailureTarget", "DeadlineExceeded")]
    assert (told["uncountedTerminatedPods"]["failed"], told["terminating"]) == (["uid-a"], 1)
    tree["status"] |= {"conditions": told["conditions"], "failed": 1}
    leaving = mine("a", tracked=False, deleting=True)
    assert "conditions" not in status_of(planned(tree, [leaving]))
    final = planned(tree, [])
    assert [each["type"] for each in status_of(final)["conditions"]] == ["FailureTarget", "Failed"]
    (event,) = [write for write in final.writes if isinstance(write, Event)]
    assert (event.reason, event.message) == ("DeadlineExceeded", "Job was active longer than specified deadline")


def test_failures_hold_up_the_next_pod_and_are_remembered():
    controller, tree = JobController(), job(completions=1)
    failed = mine("a", "Failed")
    failed["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(NOW - 4)}]
    for _ in range(2):  # planning again does not count it twice
        plan = planned(tree, [failed], controller=controller)
        assert (steps(plan), plan.again_in) == (["status", "patch a"], 6)
    assert planned(tree, [], controller=controller).again_in == 6
    assert "create" in steps(planned(tree, [], NOW + 6, controller=controller))


def test_a_suspended_jobs_pods_go_uncounted():
    plan = planned(job(suspend=True), [mine("a")])
    assert steps(plan) == ["patch a", "delete a", "status"]
    assert status_of(plan)["uncountedTerminatedPods"] == {"succeeded": None, "failed": None}


def test_another_controllers_job_is_left_alone():
    assert planned(job(managedBy="example.com/other"), [mine("a", "Failed")]).writes == []


def test_of_an_index_one_pod_stays_the_one_furthest_along():
    pods = [mine("a", "Pending", index=0), mine("b", index=0), mine("c", index=5)]
    plan = planned(job(completions=2, parallelism=2, completionMode="Indexed"), pods)
    assert [step for step in steps(plan) if step.startswith("delete")] == ["delete c", "delete a"]


def test_terminating_pods_are_waited_for_if_asked():
    leaving = mine("a", deleting=True)
    assert "create" not in steps(planned(job(podReplacementPolicy="Failed"), [leaving]))
    assert planned(job(), [leaving]).again_in == 10  # counted as failed, so the next one is backed off


INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 2}
PER_INDEX = {**INDEXED, "backoffLimitPerIndex": 0}
ONE_IS_ENOUGH = {"successPolicy": {"rules": [{"succeededCount": 1}]}}
OUTCOMES = ("Succeeded", "Failed", "Running", "suspend", "resume", "none")


@pytest.mark.parametrize(
    "spec",
    [
        {"completions": 3, "parallelism": 2},
        {"parallelism": 2},
        {"completions": 2, "backoffLimit": 0},
        {"completions": 2, "activeDeadlineSeconds": 100},
        {"completions": 2, "podReplacementPolicy": "Failed"},
        INDEXED,
        INDEXED | ONE_IS_ENOUGH,
        PER_INDEX,
        PER_INDEX | {"maxFailedIndexes": 1},
        PER_INDEX | ONE_IS_ENOUGH,
    ],
)
@given(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=12))
def test_no_status_that_the_controller_writes_is_refused(spec, outcomes):
    """Whatever becomes of the pods, and however often the Job is suspended."""
    controller, view = JobController(), FakeView({JOBS: [job(**spec)], PODS: []})
    for round_, outcome in enumerate(outcomes):
        (tree,) = view.raw(JOBS)
        if outcome in ("suspend", "resume"):
            tree["spec"]["suspend"] = outcome == "suspend"
        elif living := [each for each in view.raw(PODS) if each["status"]["phase"] in ("Pending", "Running")]:
            ready = [{"type": "Ready", "status": "True" if outcome == "Running" else "False"}]
            if outcome != "none":
                living[0]["status"] = {"phase": outcome, "conditions": ready}
        for moment in (0, 1, 30):
            carry_out(view, controller.plan(KEY, view, NOW + 40 * round_ + moment))


def carry_out(view, plan):
    """As a server would: pods with a finalizer stay when they are deleted, and the Job's status is checked."""
    for write in plan.writes:
        pods = view.trees[PODS]
        match write:
            case Patch(kind=kind) if kind is JOBS:
                (old,) = view.raw(JOBS)
                before = msgspec.json.decode(msgspec.json.encode(old))
                view.apply(Plan([write]))
                (new,) = view.raw(JOBS)
                assert [str(problem) for problem in job_status.check(new, before)] == []
            case Patch():
                tree = pods[write.key.namespace, write.key.name]
                tree["metadata"]["finalizers"] = []
                if "deletionTimestamp" in tree["metadata"]:
                    del pods[write.key.namespace, write.key.name]
            case Delete():
                tree = pods[write.key.namespace, write.key.name]
                tree["metadata"]["deletionTimestamp"] = rfc3339(NOW)
                if not tree["metadata"].get("finalizers"):
                    del pods[write.key.namespace, write.key.name]
            case Create():
                view.apply(Plan([write]))


@pytest.mark.parametrize(("owner", "freed"), [("uid-web", False), ("another", True)])
def test_tracked_pods_of_nobody_are_let_go(owner, freed):
    stray = mine("a")
    stray["metadata"]["ownerReferences"] = [OWNED[0] | {"uid": owner}]
    assert ("patch a" in steps(planned(job(), [stray]))) == freed


def test_a_ttl_counts_from_the_end():
    end = {"type": "Complete", "status": "True", "lastTransitionTime": rfc3339(NOW - 20)}
    view = FakeView({JOBS: [job(ttlSecondsAfterFinished=30, status={"conditions": [end]})]})
    assert TTLAfterFinished().plan(KEY, view, NOW).again_in == 10
    (delete,) = TTLAfterFinished().plan(KEY, view, NOW + 10).writes
    assert delete.propagation == "Foreground"


# ------------------------------------------------------------------------------------------------ CronJobs

MINUTE = NOW - NOW % 60


def cron(status=None, made=NOW - 3600, **spec):
    spec = {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": {}}}} | spec
    return {"metadata": meta("web", creationTimestamp=rfc3339(made)), "spec": spec, "status": status or {}}


def child(at, *conditions):
    owner = [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "web", "uid": "uid-web", "controller": True}]
    name = f"web-{int(at) // 60}"
    notes = {"batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(at)}
    status = {"conditions": [{"type": each, "status": "True"} for each in conditions]}
    return {"metadata": meta(name, ownerReferences=owner, annotations=notes), "spec": {}, "status": status}


def cron_plan(tree, jobs=(), now=NOW):
    return CronJobController().plan(KEY, FakeView({CRONJOBS: [tree], JOBS: list(jobs)}), now)


def reasons(plan):
    return [write.reason for write in plan.writes if isinstance(write, Event)]


def test_the_latest_missed_time_is_made_up_for():
    plan = cron_plan(cron())
    (create,) = plan.writes
    due = NOW - NOW % 600
    assert create.body["metadata"]["name"] == job_name(msgspec.convert(cron(), CronJob), due) == f"web-{int(due) // 60}"
    notes = create.body["metadata"]["annotations"]
    assert notes == {"batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(due)}
    assert plan.again_in == pytest.approx(due + 600.1 - NOW)


def test_a_job_that_was_made_is_noted():
    due = NOW - NOW % 600
    (patch,) = cron_plan(cron(), [child(due)]).writes
    status = patch.body["status"]
    assert status["lastScheduleTime"] == rfc3339(due)
    assert [each["name"] for each in status["active"]] == [f"web-{int(due) // 60}"]


def test_jobs_that_ended_and_went_are_told():
    due = NOW - NOW % 600
    names = ["lost", f"web-{int(due) // 60}"]
    active = [{"kind": "Job", "namespace": "d", "name": name, "uid": f"uid-{name}"} for name in names]
    status = {"active": active, "lastScheduleTime": rfc3339(due)}
    plan = cron_plan(cron(status), [child(due, "Complete")])
    assert reasons(plan) == ["SawCompletedJob", "MissingJob"]
    assert plan.writes[-1].body["status"] == {"active": None}


@pytest.mark.parametrize(
    ("spec", "told", "waits"),
    [
        ({"schedule": "* * *"}, ["UnparseableSchedule"], False),
        ({"schedule": "0 0 31 2 *"}, ["InvalidSchedule"], False),
        ({"timeZone": "Mars/Olympus"}, ["UnknownTimeZone"], False),
        ({"suspend": True}, [], False),
        ({"startingDeadlineSeconds": 5}, [], True),
        ({"schedule": "* * * * *"}, [], True),
    ],
)
def test_what_keeps_a_cron_job_from_its_work(spec, told, waits):
    plan = cron_plan(cron(**spec))
    assert (reasons(plan), plan.again_in is not None) == (told, waits)


def test_forbid_waits_and_replace_takes_away():
    before = NOW - NOW % 600 - 600
    name = f"web-{int(before) // 60}"
    active = [{"kind": "Job", "namespace": "d", "name": name, "uid": f"uid-{name}"}]
    status = {"active": active, "lastScheduleTime": rfc3339(before)}
    assert reasons(cron_plan(cron(status, concurrencyPolicy="Forbid"), [child(before)])) == ["JobAlreadyActive"]
    plan = cron_plan(cron(status, concurrencyPolicy="Replace"), [child(before)])
    assert [type(write) for write in plan.writes] == [Delete, Create]


def test_too_many_missed_times_are_told():
    assert reasons(cron_plan(cron(made=NOW - 86400, schedule="* * * * *"))) == ["TooManyMissedTimes"]


def test_a_changed_schedule_makes_up_for_nothing():
    controller, tree = CronJobController(), cron(schedule="0 0 1 1 *")
    view = FakeView({CRONJOBS: [tree], JOBS: []})
    assert controller.plan(Key("d", "web"), view, NOW).writes == []
    tree["spec"]["schedule"] = "*/10 * * * *"
    plan = controller.plan(KEY, view, NOW)
    assert plan.writes == []
    assert plan.again_in is not None

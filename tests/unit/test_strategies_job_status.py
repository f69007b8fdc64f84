"""A Job's status as any controller may write it: what upstream v1.34.1 was seen to refuse, in its words."""

import pytest

from apiserver.strategies.workloads import job_status


def job(spec=None, *conditions, **status):
    rows = [{"type": name, "status": "True"} for name in conditions]
    return {"spec": {"parallelism": 1, "completions": 3, **(spec or {})}, "status": {**status, "conditions": rows}}


INDEXED = {"completionMode": "Indexed"}
PER_INDEX = {**INDEXED, "backoffLimitPerIndex": 1}
_WITHOUT = "status.conditions: Invalid value: cannot set {}=True condition without the {}=true condition"
_FAILED = "status.failedIndexes: Invalid value: "
BEGAN, ENDED = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (job(), job(), []),
        (job(None, "SuccessCriteriaMet", "Complete", startTime=BEGAN, completionTime=ENDED), job(startTime=BEGAN), []),
        (
            job(None, "Complete", startTime=BEGAN),
            job(startTime=BEGAN),
            [
                "status.completionTime: Required value: completionTime is required for Complete jobs",
                _WITHOUT.format("Complete", "SuccessCriteriaMet"),
            ],
        ),
        (
            job(None, "Failed", active=1),
            job(),
            [
                _WITHOUT.format("Failed", "FailureTarget"),
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
                "status.startTime: Required value: startTime is required for finished job",
            ],
        ),
        (
            job(None, "SuccessCriteriaMet", "Complete", startTime=ENDED, completionTime=BEGAN),
            job(startTime=ENDED),
            [f'status.completionTime: Invalid value: "{BEGAN}": must be equal to or after `startTime`'],
        ),
        (
            job(),
            job(startTime=BEGAN),
            ["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
        ),
        (job({"suspend": True}), job({"suspend": True}, startTime=BEGAN), []),
        (job(startTime=ENDED), job(None, "Suspended", startTime=BEGAN), []),
        (
            job(None, "Suspended", startTime=ENDED),
            job(None, "Suspended", startTime=BEGAN),
            ["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
        ),
        (
            job(failedIndexes="x"),
            job(),
            [
                f'{_FAILED}"x": cannot set non-null failedIndexes when backoffLimitPerIndex is null',
            ],
        ),
        (
            job(PER_INDEX, failedIndexes="2-1"),
            job(PER_INDEX),
            [
                f'{_FAILED}"2-1": error parsing failedIndexes: non-increasing order, previous: 2, current: 1',
            ],
        ),
        (
            job(PER_INDEX, completedIndexes="0-1", failedIndexes="1"),
            job(PER_INDEX),
            [
                'status.failedIndexes: Invalid value: "1": failedIndexes and completedIndexes overlap at index: 1',
            ],
        ),
        (
            job(INDEXED, completedIndexes="1,7"),
            job(INDEXED),
            ['status.completedIndexes: Invalid value: "1,7": error parsing completedIndexes: too large index: "7"'],
        ),
        (job(INDEXED, completedIndexes="1,7"), job(INDEXED, completedIndexes="1,7"), []),  # wrong already
        (job(ready=2, active=1), job(), ["status.ready: Invalid value: 2: cannot set more ready pods than active"]),
        (job(failed=1), job(failed=2), ["status.failed: Invalid value: 1: cannot decrease the failed counter"]),
        (
            job(None, "FailureTarget", "SuccessCriteriaMet"),
            job(),
            ["status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"],
        ),
        (
            job(),
            job(None, "FailureTarget"),
            ["status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"],
        ),
        (
            job(uncountedTerminatedPods={"succeeded": ["a", ""], "failed": ["a"]}),
            job(),
            [
                'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
                'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
            ],
        ),
    ],
)
def test_what_a_job_may_be_said_to_be(new, old, expected):
    assert [str(problem) for problem in job_status.check(new, old)] == expected

"""Deletes through the whole server: grace, finalizers, propagation, preconditions, collections, namespaces."""

import pytest

from tests.contract.api_server import CORE, MERGE, config_map, names, pod

MAPS = f"{CORE}/configmaps"
PODS = f"{CORE}/pods"


async def bound(api, name, **spec):
    await api.must("POST", PODS, pod(name, spec=spec))
    binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "n1"}}
    await api.must("POST", f"{PODS}/{name}/binding", binding)


async def test_delete_answers_with_a_status(api):
    made = await api.must("POST", MAPS, config_map("a"))
    status = await api.must("DELETE", f"{MAPS}/a")
    details = {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert status["status"] == "Success"
    assert status["details"] == details
    assert (await api.call("DELETE", f"{MAPS}/a"))[0] == 404


async def test_some_kinds_show_the_object_they_deleted(api):
    await api.must("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "a"}})
    assert (await api.must("DELETE", f"{CORE}/serviceaccounts/a"))["kind"] == "ServiceAccount"


async def test_finalizers_keep_an_object_until_the_last_is_gone(api):
    await api.must("POST", MAPS, config_map("a", finalizers=["example.com/one"]))
    marked = await api.must("DELETE", f"{MAPS}/a")
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    again = await api.must("DELETE", f"{MAPS}/a")
    assert again["metadata"]["resourceVersion"] == marked["metadata"]["resourceVersion"]
    code, status = await api.call("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/two"]}}, type=MERGE)
    assert code == 422
    assert "no new finalizers can be added if the object is being deleted" in status["message"]
    await api.must("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, type=MERGE)
    assert (await api.call("GET", f"{MAPS}/a"))[0] == 404


async def test_a_name_on_its_way_out_says_so(api):
    await api.must("POST", MAPS, config_map("a", finalizers=["example.com/one"]))
    await api.must("DELETE", f"{MAPS}/a")
    code, status = await api.call("POST", MAPS, config_map("a"))
    assert (code, status["message"]) == (409, 'object is being deleted: configmaps "a" already exists')


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)],
)
async def test_propagation_policies(api, policy, finalizers):
    await api.must("POST", MAPS, config_map("a"))
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
    await api.must("DELETE", f"{MAPS}/a", body)
    code, tree = await api.call("GET", f"{MAPS}/a")
    assert (code == 404) if finalizers is None else tree["metadata"]["finalizers"] == finalizers


async def test_preconditions(api):
    made = await api.must("POST", MAPS, config_map("a"))
    code, status = await api.call("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "other"}})
    assert code == 409
    assert "the UID in the precondition (other) does not match the UID in record" in status["message"]
    assert (await api.call("DELETE", f"{MAPS}/a", {"preconditions": {"resourceVersion": "1"}}))[0] == 409
    right = {"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}
    await api.must("DELETE", f"{MAPS}/a", {"preconditions": right})


async def test_unscheduled_pods_go_at_once(api):
    await api.must("POST", PODS, pod("a"))
    gone = await api.must("DELETE", f"{PODS}/a")
    assert gone["kind"] == "Pod"
    assert (await api.call("GET", f"{PODS}/a"))[0] == 404


async def test_running_pods_get_their_grace_period(api):
    await bound(api, "a", terminationGracePeriodSeconds=40)
    marked = (await api.must("DELETE", f"{PODS}/a"))["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 40
    longer = (await api.must("DELETE", f"{PODS}/a?gracePeriodSeconds=60"))["metadata"]
    assert longer["resourceVersion"] == marked["resourceVersion"]
    shorter = (await api.must("DELETE", f"{PODS}/a?gracePeriodSeconds=10"))["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 10
    assert shorter["deletionTimestamp"] < marked["deletionTimestamp"]
    await api.must("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})  # the kubelet's last word
    assert (await api.call("GET", f"{PODS}/a"))[0] == 404


async def test_finished_pods_go_at_once(api):
    await bound(api, "a")
    await api.must("PATCH", f"{PODS}/a/status", {"status": {"phase": "Succeeded"}}, type=MERGE)
    await api.must("DELETE", f"{PODS}/a")
    assert (await api.call("GET", f"{PODS}/a"))[0] == 404


async def test_delete_collection_by_selector(api):
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await api.must("POST", MAPS, config_map(name, labels={"app": app}))
    gone = await api.must("DELETE", f"{MAPS}?labelSelector=app%3Dx")
    assert (gone["kind"], names(gone)) == ("ConfigMapList", ["a", "b"])
    assert names(await api.must("GET", MAPS)) == ["c"]


async def test_namespaces_end_when_they_are_finalized(api):
    path = "/api/v1/namespaces/x"
    await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}})
    marked = await api.must("DELETE", path)
    assert marked["status"]["phase"] == "Terminating"
    assert marked["spec"]["finalizers"] == ["kubernetes"]
    assert (await api.must("DELETE", path))["metadata"]["resourceVersion"] == marked["metadata"]["resourceVersion"]
    code, status = await api.call("POST", f"{path}/configmaps", config_map("a"))
    assert code == 403
    assert "because it is being terminated" in status["message"]
    await api.must("PUT", f"{path}/finalize", {**marked, "spec": {"finalizers": []}})
    assert (await api.call("GET", path))[0] == 404


async def test_creation_in_a_namespace_that_is_not_there(api):
    code, status = await api.call("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    assert (code, status["message"]) == (404, 'namespaces "nowhere" not found')


JOBS = "/apis/batch/v1/namespaces/default/jobs"


def job(name):
    spec = {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(("query", "finalizers"), [("", ["orphan"]), ("?propagationPolicy=Background", None)])
async def test_a_job_deleted_without_a_word_leaves_its_pods(api, query, finalizers):
    await api.must("POST", JOBS, job("a"))
    answer = await api.send("DELETE", f"{JOBS}/a{query}")
    assert answer.json()["metadata"].get("finalizers") == finalizers
    assert ("child pods are preserved by default" in answer.headers.get("warning", "")) == (not query)


async def test_a_replication_controller_deleted_without_a_word_leaves_its_pods(api):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    path = f"{CORE}/replicationcontrollers"
    await api.must("POST", path, {"metadata": {"name": "a"}, "spec": {"template": template}})
    assert (await api.must("DELETE", f"{path}/a"))["metadata"]["finalizers"] == ["orphan"]


async def test_what_goes_at_once_is_shown_without_marks(api):
    await api.must("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "a"}})
    assert "deletionTimestamp" not in (await api.must("DELETE", f"{CORE}/serviceaccounts/a"))["metadata"]

"""ValidatingAdmissionPolicies, as upstream's e2e suite of that name does it, and the rest of what a policy can say."""

import pytest

from tests.contract.api_server import APPS, CORE, MERGE, config_map, deployment, names, running

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{ADMISSION}/validatingadmissionpolicies"
BINDINGS = f"{ADMISSION}/validatingadmissionpolicybindings"
FORBIDS = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "


@pytest.fixture
async def server():
    async with running() as it:
        yield it


def policy(name, *validations, resources=("deployments",), groups=("apps",), **spec):
    rules = [
        {
            "apiGroups": list(groups),
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": list(resources),
        }
    ]
    return {
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": rules}, "validations": list(validations), **spec},
    }


def binding(name, to="p", actions=("Deny",), **spec):
    return {"metadata": {"name": name}, "spec": {"policyName": to, "validationActions": list(actions), **spec}}


async def bound(server, made, **more):
    await server.must("POST", POLICIES, made)
    await server.must("POST", BINDINGS, binding("b", made["metadata"]["name"], **more))


async def test_a_deployment_is_validated(server):
    await bound(
        server,
        policy(
            "p",
            {
                "expression": "object.spec.replicas > 1",
                "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)",
            },
            {"expression": "namespaceObject.metadata.name == 'default'", "message": "Internal error! Other namespace"},
        ),
    )
    code, status = await server.call("POST", f"{APPS}/deployments", deployment("web", 1))
    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"] == FORBIDS + "wants replicas > 1, got 1"
    assert status["details"]["causes"] == [
        {"message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: wants replicas > 1, got 1"}
    ]
    await server.must("POST", f"{APPS}/deployments", deployment("web", 2))


async def test_expressions_refer_to_variables(server):
    await bound(
        server,
        policy(
            "p",
            {"expression": "variables.replicas > 1"},
            {"expression": "variables.oddReplicas"},
            variables=[
                {"name": "replicas", "expression": "object.spec.replicas"},
                {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
            ],
        ),
    )
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web", 4))
    assert status["message"] == FORBIDS + "failed expression: variables.oddReplicas"
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web", 1))
    assert status["message"] == FORBIDS + "failed expression: variables.replicas > 1"
    await server.must("POST", f"{APPS}/deployments", deployment("web", 3))


async def test_reasons_become_codes(server):
    await bound(server, policy("p", {"expression": "false", "reason": "Forbidden", "message": "never"}))
    code, status = await server.call("POST", f"{APPS}/deployments", deployment("web"))
    assert (code, status["reason"], status["message"]) == (403, "Forbidden", FORBIDS + "never")


async def test_a_policy_that_is_not_bound_says_nothing(server):
    await server.must("POST", POLICIES, policy("p", {"expression": "false"}))
    assert (await server.call("POST", f"{APPS}/deployments", deployment("web")))[0] == 201
    await server.must("POST", BINDINGS, binding("b"))
    assert (await server.call("POST", f"{APPS}/deployments", deployment("other")))[0] == 422


async def test_warnings_in_place_of_denials(server):
    await bound(server, policy("p", {"expression": "false", "message": "unwise"}), actions=("Warn", "Audit"))
    response = await server.send("POST", f"{APPS}/deployments", deployment("web"))
    assert response.status_code == 201
    warning = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': unwise"
    assert response.headers["warning"] == f'299 - "{warning}"'


async def test_errors_count_by_the_failure_policy(server):
    await bound(server, policy("p", {"expression": "object.nothing.here"} | {"expression": "object.nothing.here == 1"}))
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web"))
    assert (
        status["message"] == FORBIDS + "expression 'object.nothing.here == 1' resulted in error: no such key: nothing"
    )
    await server.must("PATCH", f"{POLICIES}/p", {"spec": {"failurePolicy": "Ignore"}}, type=MERGE)
    await server.must("POST", f"{APPS}/deployments", deployment("web"))


async def test_parameters(server):
    param = {"kind": "ConfigMap", "apiVersion": "v1"}
    await server.must(
        "POST", POLICIES, policy("p", {"expression": "object.spec.replicas <= int(params.data.max)"}, paramKind=param)
    )
    ref = {"name": "limits", "parameterNotFoundAction": "Deny"}
    await server.must("POST", BINDINGS, binding("b", paramRef=ref))
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web"))
    why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    assert status["message"] == FORBIDS + why
    await server.must("POST", f"{CORE}/configmaps", config_map("limits", {"max": "3"}, labels={"limits": "yes"}))
    await server.must("POST", f"{APPS}/deployments", deployment("web", 3))
    assert (await server.call("POST", f"{APPS}/deployments", deployment("web2", 4)))[0] == 422
    await server.must("DELETE", f"{BINDINGS}/b")
    ref = {"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Allow"}
    await server.must("POST", BINDINGS, binding("b", paramRef=ref))
    assert (await server.call("POST", f"{APPS}/deployments", deployment("web2", 4)))[0] == 422
    await server.must("DELETE", f"{CORE}/configmaps/limits")
    await server.must("POST", f"{APPS}/deployments", deployment("web2", 4))


async def test_a_kind_of_parameters_that_is_not_served(server):
    param = {"kind": "Limit", "apiVersion": "rules.example.com/v1"}
    await bound(server, policy("p", {"expression": "true"}, paramKind=param))
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web"))
    assert status["message"] == (
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: "
        "failed to find resource referenced by paramKind: 'rules.example.com/v1, Kind=Limit'"
    )


async def test_bindings_and_conditions_narrow(server):
    conditions = [{"name": "big", "expression": "object.spec.replicas > 5"}]
    made = policy("p", {"expression": "false"}, matchConditions=conditions)
    await server.must("POST", POLICIES, made)
    labelled = {"objectSelector": {"matchLabels": {"strict": "yes"}}}
    await server.must("POST", BINDINGS, binding("b", matchResources=labelled))
    strict = {**deployment("web", 9), "metadata": {"name": "web", "labels": {"strict": "yes"}}}
    await server.must("POST", f"{APPS}/deployments", deployment("other", 9))
    assert (await server.call("POST", f"{APPS}/deployments", strict))[0] == 422
    strict["spec"]["replicas"] = 1
    await server.must("POST", f"{APPS}/deployments", strict)


async def test_the_authorizer_is_asked(server):
    text = "authorizer.group('apps').resource('deployments').namespace('default').check('delete').allowed()"
    user = "request.userInfo.username == 'system:admin' && authorizer.requestResource.check('create').allowed()"
    nobody = "!authorizer.serviceAccount('default', 'default').path('/metrics').check('get').allowed()"
    await bound(server, policy("p", {"expression": text}, {"expression": user}, {"expression": nobody}))
    assert (await server.call("POST", f"{APPS}/deployments", deployment("web")))[0] == 201
    await let(server, "jane", "create", "deployments", group="apps")
    stranger = {"impersonate-user": "jane", "impersonate-group": "system:authenticated"}
    _, status = await server.call("POST", f"{APPS}/deployments", deployment("web"), headers=stranger)
    assert status["message"] == FORBIDS + f"failed expression: {text}"


async def let(server, user, verb, resource, *, group):
    """One right, by RBAC, in the namespace `default`."""
    rules = [{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]
    await server.must("POST", f"{RBAC}/roles", {"metadata": {"name": user}, "rules": rules})
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    await server.must(
        "POST", f"{RBAC}/rolebindings", {"metadata": {"name": user}, "subjects": subjects, "roleRef": role}
    )


async def test_deletes_and_connects_are_seen(server):
    made = policy("p", {"expression": "oldObject == null || oldObject.metadata.name != 'keep'", "message": "kept"})
    made["spec"]["matchConstraints"]["resourceRules"][0] |= {"operations": ["DELETE"], "resources": ["deployments"]}
    await bound(server, made)
    for name in ("keep", "free"):
        await server.must("POST", f"{APPS}/deployments", deployment(name))
    await server.must("DELETE", f"{APPS}/deployments/free")
    code, status = await server.call("DELETE", f"{APPS}/deployments/keep")
    assert (code, status["message"].rpartition(": ")[2]) == (422, "kept")


async def test_resource_names_and_exclusions(server):
    made = policy("p", {"expression": "false"}, resources=("configmaps",), groups=("",))
    match = made["spec"]["matchConstraints"]
    match["excludeResourceRules"] = [{**match["resourceRules"][0], "resourceNames": ["free"]}]
    await bound(server, made)
    await server.must("POST", f"{CORE}/configmaps", config_map("free"))
    assert (await server.call("POST", f"{CORE}/configmaps", config_map("other")))[0] == 422


async def test_no_policy_keeps_one_from_mending_policies(server):
    made = policy("p", {"expression": "false"}, resources=("*",), groups=("*",))
    made["spec"]["matchConstraints"]["resourceRules"][0] |= {"apiVersions": ["*"], "operations": ["*"]}
    await bound(server, made)
    assert (await server.call("POST", f"{CORE}/configmaps", config_map("a")))[0] == 422
    await server.must("DELETE", f"{BINDINGS}/b")
    await server.must("POST", f"{CORE}/configmaps", config_map("a"))


@pytest.mark.parametrize(
    ("spec", "path", "text"),
    [
        (
            {"validations": [{"expression": "object.x == "}]},
            "spec.validations[0].expression",
            'Invalid value: "object.x == ": compilation failed: ERROR: <input>:1:13: Syntax error: mismatched input',
        ),
        (
            {"validations": [{"expression": "1 + 1"}]},
            "spec.validations[0].expression",
            'Invalid value: "1 + 1": must evaluate to bool but got int',
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            "spec.validations[0].messageExpression",
            'Invalid value: "1": must evaluate to string but got int',
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "string(authorizer == null)"}]},
            "spec.validations[0].messageExpression",
            "undeclared reference to 'authorizer'",
        ),
        (
            {"validations": [{"expression": "params == null"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'params'",
        ),
        (
            {"variables": [{"name": "a-b", "expression": "1"}]},
            "spec.variables[0].name",
            "must be a valid CEL identifier",
        ),
        (
            {"validations": [{"expression": "variables.a == 'x'"}], "variables": [{"name": "a", "expression": "1"}]},
            "spec.validations[0].expression",
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            {"validations": [{"expression": "true", "reason": "Teapot"}]},
            "spec.validations[0].reason",
            "supported values: ",
        ),
        (
            {"validations": [{"expression": "true", "message": "a\nb"}]},
            "spec.validations[0].message",
            "must not contain line breaks",
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            "spec.auditAnnotations[0].valueExpression",
            "must evaluate to one of [string null_type] but got int",
        ),
        (
            {"matchConditions": [{"name": "a", "expression": "nothing"}]},
            "spec.matchConditions[0].expression",
            "undeclared reference to 'nothing'",
        ),
        (
            {"paramKind": {"apiVersion": "a/b/c", "kind": "X"}},
            "spec.paramKind.apiVersion",
            "unexpected GroupVersion string: a/b/c",
        ),
    ],
)
async def test_what_cannot_be_a_policy(server, spec, path, text):
    code, status = await server.call(
        "POST",
        POLICIES,
        policy("p", {"expression": "true"}) | {"spec": policy("p", {"expression": "true"})["spec"] | spec},
    )
    assert code == 422
    causes = {cause["field"]: cause["message"] for cause in status["details"]["causes"]}
    assert text in causes[path]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"validationActions": []},
            "spec.validationActions: Required value: at least one validation action is required",
        ),
        ({"validationActions": ["Deny", "Deny"]}, 'spec.validationActions[1]: Duplicate value: "Deny"'),
        ({"paramRef": {"name": "x"}}, "spec.paramRef.parameterNotFoundAction: Required value"),
        (
            {"paramRef": {"parameterNotFoundAction": "Deny"}},
            "spec.paramRef: Required value: one of name or selector must be",
        ),
        (
            {"paramRef": {"name": "x", "selector": {}, "parameterNotFoundAction": "Deny"}},
            "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
        ),
    ],
)
async def test_what_cannot_be_a_binding(server, spec, text):
    code, status = await server.call(
        "POST",
        BINDINGS,
        {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **spec}},
    )
    assert code == 422
    assert text in status["message"]


async def test_the_api_operations(server):
    """What upstream's conformance does with both kinds: create, get, list, watch, patch, update, status, delete."""
    for path, make in ((POLICIES, lambda n: policy(n, {"expression": "true"})), (BINDINGS, binding)):
        for name in ("a", "b"):
            made = make(name)
            made["metadata"]["labels"] = {"e2e": "yes"}
            await server.must("POST", path, made)
        assert names(await server.must("GET", f"{path}?labelSelector=e2e=yes")) == ["a", "b"]
        patched = await server.must(
            "PATCH", f"{path}/a", {"metadata": {"annotations": {"patched": "true"}}}, type=MERGE
        )
        assert patched["metadata"]["annotations"] == {"patched": "true"}
        assert patched["metadata"]["generation"] == 1
        patched["metadata"]["annotations"] = {"updated": "true"}
        await server.must("PUT", f"{path}/a", patched)
        await server.must("DELETE", f"{path}/a")
        await server.must("DELETE", f"{path}?labelSelector=e2e=yes")
        assert names(await server.must("GET", path)) == []
    await server.must("POST", POLICIES, policy("s", {"expression": "true"}))
    status = {
        "status": {
            "conditions": [
                {
                    "type": "X",
                    "status": "True",
                    "reason": "R",
                    "message": "m",
                    "lastTransitionTime": "2024-01-01T00:00:00Z",
                }
            ]
        }
    }
    patched = await server.must("PATCH", f"{POLICIES}/s/status", status, type=MERGE)
    assert patched["status"]["conditions"][0]["type"] == "X"


async def settled(server, name, generation=1):
    tree = await server.must("GET", f"{POLICIES}/{name}")
    async with server.watch(POLICIES, resourceVersion=tree["metadata"]["resourceVersion"]) as events:
        while (tree.get("status") or {}).get("observedGeneration") != generation:
            _, tree = await events.next()
    return tree["status"]


async def test_type_checking_warns_in_the_status(server):
    await server.must("POST", POLICIES, policy("good", {"expression": "object.spec.replicas > 1"}))
    assert await settled(server, "good") == {"observedGeneration": 1, "typeChecking": {}}
    bad = policy(
        "bad",
        {"expression": "object.spec.replicas > '1'"},
        {"expression": "object.spec.replicas.foo > 1", "messageExpression": "string(object.nothing)"},
        {"expression": "variables.image.startsWith('x') && object.metadata.labels['a'] == 'b'"},
        variables=[{"name": "image", "expression": "object.spec.template.spec.containers[0].image"}],
    )
    await server.must("POST", POLICIES, bad)
    found = (await settled(server, "bad"))["typeChecking"]["expressionWarnings"]
    assert [row["fieldRef"] for row in found] == [
        "spec.validations[0].expression",
        "spec.validations[1].expression",
        "spec.validations[1].messageExpression",
    ]
    assert found[0]["warning"] == (
        "apps/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:22: found no matching overload for '_>_' applied to "
        "'(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n"
    )
    assert "type 'int' does not support field selection" in found[1]["warning"]
    assert "undefined field 'nothing'" in found[2]["warning"]
    bad["spec"]["validations"] = [{"expression": "true"}]
    bad["metadata"] = (await server.must("GET", f"{POLICIES}/bad"))["metadata"]
    await server.must("PUT", f"{POLICIES}/bad", bad)
    assert await settled(server, "bad", 2) == {"observedGeneration": 2}  # as upstream: applied away with its warnings


_NAMED = {"name": "x", "parameterNotFoundAction": "Deny"}
_CHOSEN = {"selector": {}, "namespace": "n", "parameterNotFoundAction": "Deny"}
_BOB = {"impersonate-user": "bob", "impersonate-group": "g"}
_SHOWN = "&{bob  [g system:authenticated] map[]}"
_ALL = f"user {_SHOWN} does not have"
_EVERYTHING = f'{_ALL} "get" permission for all groups, versions and resources'
_TO_DETERMINE = f"to determine minimum required permissions and {_EVERYTHING}"


async def rights(server, *more):
    rules = [{"apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"], "verbs": ["*"]}, *more]
    group = "rbac.authorization.k8s.io"
    await server.must("POST", f"/apis/{group}/v1/clusterroles", {"metadata": {"name": "r"}, "rules": rules})
    role, bob = {"apiGroup": group, "kind": "ClusterRole", "name": "r"}, {"kind": "User", "name": "bob"}
    made = {"metadata": {"name": "r"}, "roleRef": role, "subjects": [bob]}
    await server.must("POST", f"/apis/{group}/v1/clusterrolebindings", made)


async def test_who_may_not_read_parameters_may_not_name_their_kind(server):
    await rights(server)
    made = policy("p", {"expression": "true"}, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    code, status = await server.call("POST", POLICIES, made, headers=_BOB)
    assert code == 422
    assert status["details"]["causes"] == [
        {
            "reason": "FieldValueForbidden",
            "field": "spec.paramKind",
            "message": f'Forbidden: user {_SHOWN} must have "get" permission on all objects of the referenced paramKind '
            "(kind=ConfigMap, apiVersion=v1)",
        }
    ]
    await server.must("POST", POLICIES, policy("q", {"expression": "true"}), headers=_BOB)


@pytest.mark.parametrize(
    ("to", "ref", "why"),
    [
        ("p", _NAMED, f'{_ALL} "get" permission on the object referenced by paramRef'),
        ("p", _CHOSEN, f'{_ALL} "list" permission on the object referenced by paramRef'),
        (
            "none",
            _NAMED,
            f"unable to get policy none {_TO_DETERMINE}",
        ),
        (
            "lost",
            _NAMED,
            f"unable to resolve paramKind &{{nope/v1 Nope}} {_TO_DETERMINE}",
        ),
    ],
)
async def test_who_may_not_read_parameters_may_not_refer_to_them(server, to, ref, why):
    await rights(server)
    for name, kind in (
        ("p", {"apiVersion": "v1", "kind": "ConfigMap"}),
        ("lost", {"apiVersion": "nope/v1", "kind": "Nope"}),
    ):
        await server.must("POST", POLICIES, policy(name, {"expression": "true"}, paramKind=kind))
    code, status = await server.call("POST", BINDINGS, binding("b", to, paramRef=ref), headers=_BOB)
    assert (code, status["details"]["causes"][0]["message"]) == (422, f"Forbidden: {why}")


async def test_who_may_read_parameters_may_refer_to_them(server):
    await rights(server, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    made = policy("p", {"expression": "true"}, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    assert (await server.call("POST", POLICIES, made, headers=_BOB))[0] == 201
    assert (await server.call("POST", BINDINGS, binding("b", "p", paramRef=_NAMED), headers=_BOB))[0] == 201


async def test_webhook_configurations_are_policies_business_and_policies_are_not(server):
    await bound(
        server,
        policy(
            "p",
            {"expression": "false", "message": "no"},
            groups=("*",),
            resources=("*",),
        ),
    )
    hooks = f"{ADMISSION}/validatingwebhookconfigurations"
    code, status = await server.call("POST", hooks, {"metadata": {"name": "h"}})
    assert (code, status["message"].rpartition(": ")[2]) == (422, "no")
    await server.must("POST", POLICIES, policy("q", {"expression": "true"}))


async def test_match_conditions_see_no_namespace(server):
    condition = {"name": "c", "expression": "namespaceObject == null"}
    await bound(server, policy("p", {"expression": "false", "message": "no"}, matchConditions=[condition]))
    code, _ = await server.call("POST", f"{APPS}/deployments", deployment("web"))
    assert code == 422


async def test_a_policy_is_asked_before_the_store_refuses(server):
    """As upstream's per_node_update.go has it: that a new object has a resourceVersion is the last thing to be told."""
    await bound(server, policy("p", {"expression": "false", "message": "no"}, resources=("configmaps",), groups=("",)))
    again = config_map("a")
    again["metadata"]["resourceVersion"] = "5"
    code, status = await server.call("POST", f"{CORE}/configmaps", again)
    assert (code, status["message"]) == (
        422,
        "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    )

"""Scenarios of validating policies, as policy_scenarios.py has them of mutating ones: what is set up, what is asked."""

from tests.contract.policy_objects import (
    APPS,
    CONFIGMAPS,
    CORE,
    DEPLOYMENTS,
    MERGE,
    config_map,
    create,
    deployment,
    rule,
)

V1 = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{V1}/validatingadmissionpolicies", f"{V1}/validatingadmissionpolicybindings"


def check(expression, **more):
    return {"expression": expression, **more}


def policy(*validations, name="p", match=CONFIGMAPS, constraints=None, **spec):
    constraints = {"resourceRules": [match], **(constraints or {})}
    return (
        POLICIES,
        {
            "metadata": {"name": name},
            "spec": {"matchConstraints": constraints, "validations": list(validations), **spec},
        },
    )


def binding(*actions, name="b", to="p", **spec):
    given = {"policyName": to, "validationActions": list(actions or ("Deny",)), **spec}
    return (BINDINGS, {"metadata": {"name": name}, "spec": given})


ASK = create(f"{CORE}/configmaps", config_map())
NO = check("false", message="no")
_OF_PARAMS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
_DENY = {"parameterNotFoundAction": "Deny"}
_LONG = "[1,2,3,4,5,6,7,8,9,10]"
_COSTLY = f"{_LONG}.map(a, {_LONG}.map(b, {_LONG}.map(c, {_LONG}.map(d, {_LONG}.map(e, {_LONG}.map(f, a+b+c)))))).size() == 10"
_BOUND = binding()


def _said(text):
    """What a message expression makes of it."""
    return policy(check("false", messageExpression=f"string({text})"))


_AUTOSCALER = create(
    "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
    {
        "metadata": {"name": "h"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
        },
    },
)


SCENARIOS = {
    "no": ([policy(NO), _BOUND], [ASK]),
    "no message": ([policy(check("  object.data.k == 'w'  ")), _BOUND], [ASK]),
    "several": ([policy(check("true"), check("1 > 2"), NO), _BOUND], [ASK]),
    **{
        f"reason {reason}": ([policy({**NO, "reason": reason}), _BOUND], [ASK])
        for reason in ("Forbidden", "Invalid", "RequestEntityTooLarge")
    },
    "message expression": (
        [policy(check("false", messageExpression="'k is ' + object.data.k", message="no")), _BOUND],
        [ASK],
    ),
    "message expression with an error": (
        [policy(check("false", messageExpression="string(object.data.nope)", message="no")), _BOUND],
        [ASK],
    ),
    "message expression that is empty": (
        [policy(check("false", messageExpression="'  '", message="no")), _BOUND],
        [ASK],
    ),
    "message expression with lines": (
        [policy(check("false", messageExpression="'a\\nb'", message="no")), _BOUND],
        [ASK],
    ),
    "message with spaces": ([policy(check("false", message="  no  ")), _BOUND], [ASK]),
    "warn": ([policy(NO), binding("Warn")], [ASK]),
    "warn and audit": ([policy(NO), binding("Warn", "Audit")], [ASK]),
    "audit": ([policy(NO), binding("Audit")], [ASK]),
    "warn with lines": ([policy(check("false", message="no"), check("[1,\n2].size() == 3")), binding("Warn")], [ASK]),
    "an error": ([policy(check("object.data.nope == 'x'")), _BOUND], [ASK]),
    "an error, warned of": ([policy(check("object.data.nope == 'x'")), binding("Warn")], [ASK]),
    "an error, failing open": ([policy(check("object.data.nope == 'x'"), NO, failurePolicy="Ignore"), _BOUND], [ASK]),
    "out of budget": ([policy(check("true"), *[check(_COSTLY)] * 4), _BOUND], [ASK]),
    "out of budget, failing open": ([policy(*[check(_COSTLY)] * 4, failurePolicy="Ignore"), _BOUND], [ASK]),
    "variables": (
        [
            policy(
                check("variables.b == 'vv'"),
                check("variables.b == 'x'", messageExpression="'b is ' + variables.b"),
                variables=[
                    {"name": "a", "expression": "object.data.k"},
                    {"name": "b", "expression": "variables.a + variables.a"},
                ],
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "a variable with an error": (
        [policy(check("variables.a == 'x'"), variables=[{"name": "a", "expression": "object.data.nope"}]), _BOUND],
        [ASK],
    ),
    "conditions": (
        [policy(NO, matchConditions=[{"name": "c", "expression": "object.metadata.name == 'd'"}]), _BOUND],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
    "conditions with an error": (
        [policy(NO, matchConditions=[{"name": "c", "expression": "object.nope == 'x'"}]), _BOUND],
        [ASK],
    ),
    "conditions with errors": (
        [
            policy(
                NO,
                matchConditions=[
                    {"name": "c", "expression": "object.nope == 'x'"},
                    {"name": "d", "expression": "object.none == 'x'"},
                    {"name": "e", "expression": "true"},
                ],
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "conditions with an error, failing open": (
        [
            policy(NO, matchConditions=[{"name": "c", "expression": "object.nope == 'x'"}], failurePolicy="Ignore"),
            _BOUND,
        ],
        [ASK],
    ),
    "conditions and the namespace": (
        [policy(NO, matchConditions=[{"name": "c", "expression": "namespaceObject == null"}]), _BOUND],
        [ASK],
    ),
    "conditions and parameters": (
        [
            policy(NO, **_OF_PARAMS, matchConditions=[{"name": "c", "expression": "params.data.team == 'blue'"}]),
            binding(paramRef={"selector": {"matchLabels": {"is": "param"}}, **_DENY}),
        ],
        [ASK],
    ),
    "parameters": (
        [
            policy(check("params.data.team == 'red'", messageExpression="'team ' + params.data.team"), **_OF_PARAMS),
            binding(paramRef={"name": "param", **_DENY}),
        ],
        [ASK],
    ),
    "parameters by selector, warned of": (
        [
            policy(check("params.data.team == 'red'", messageExpression="'team ' + params.data.team"), **_OF_PARAMS),
            binding(
                "Warn", paramRef={"selector": {"matchLabels": {"team": "none"}}, "parameterNotFoundAction": "Allow"}
            ),
        ],
        [ASK],
    ),
    "parameters not found": ([policy(NO, **_OF_PARAMS), binding(paramRef={"name": "none", **_DENY})], [ASK]),
    "parameters not found, warned of": (
        [policy(NO, **_OF_PARAMS), binding("Warn", paramRef={"name": "none", **_DENY})],
        [ASK],
    ),
    "parameters not found, allowed": (
        [policy(NO, **_OF_PARAMS), binding(paramRef={"name": "none", "parameterNotFoundAction": "Allow"})],
        [ASK],
    ),
    "parameters not found, failing open": (
        [policy(NO, **_OF_PARAMS, failurePolicy="Ignore"), binding(paramRef={"name": "none", **_DENY})],
        [ASK],
    ),
    "parameters without a reference": ([policy(check("params != null", message="none"), **_OF_PARAMS), _BOUND], [ASK]),
    "parameters of an unknown kind": (
        [policy(NO, paramKind={"apiVersion": "nope.io/v1", "kind": "Nope"}), binding(paramRef={"name": "x", **_DENY})],
        [ASK],
    ),
    "parameters of a namespaced kind for a cluster": (
        [
            policy(NO, match=rule("priorityclasses", "scheduling.k8s.io"), **_OF_PARAMS),
            binding(paramRef={"name": "param", **_DENY}),
        ],
        [create("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "x"}, "value": 1})],
    ),
    "a parameter's kind": (
        [
            policy(
                check("params.kind == 'x'", messageExpression="params.apiVersion + ' ' + params.kind"), **_OF_PARAMS
            ),
            binding(paramRef={"name": "param", **_DENY}),
        ],
        [ASK],
    ),
    "operations": (
        [
            (f"{CORE}/configmaps", config_map("known", {"k": "1"})),
            policy(
                check(
                    "false",
                    messageExpression="request.operation + ' ' + (object == null ? '-' : object.data.k) + ' ' + "
                    "(oldObject == null ? '-' : oldObject.data.k) + ' ' + request.name",
                ),
                match=rule("configmaps", "", "*"),
            ),
            _BOUND,
        ],
        [
            ASK,
            ("PATCH", f"{CORE}/configmaps/known?dryRun=All", {"data": {"k": "2"}}, MERGE),
            ("DELETE", f"{CORE}/configmaps/known?dryRun=All", None),
            ("DELETE", f"{CORE}/configmaps?dryRun=All&labelSelector=none=none", None),
        ],
    ),
    "a namespace": (
        [policy(_said("namespaceObject == null")[1]["spec"]["validations"][0], match=rule("namespaces")), _BOUND],
        [create("/api/v1/namespaces", {"metadata": {"name": "fresh"}})],
    ),
    "a namespaced selector": (
        [
            policy(NO, constraints={"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}),
            _BOUND,
        ],
        [ASK, create("/api/v1/namespaces/kube-system/configmaps", config_map())],
    ),
    "a namespaced selector and a namespace": (
        [
            policy(NO, match=rule("namespaces"), constraints={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
            _BOUND,
        ],
        [
            create("/api/v1/namespaces", {"metadata": {"name": "fresh"}}),
            create("/api/v1/namespaces", {"metadata": {"name": "fresh", "labels": {"a": "b"}}}),
        ],
    ),
    "a namespace that is not there": (
        [policy(NO, constraints={"namespaceSelector": {"matchLabels": {"a": "b"}}}), _BOUND],
        [create("/api/v1/namespaces/nowhere/configmaps", config_map())],
    ),
    "audit annotations": (
        [
            policy(
                auditAnnotations=[
                    {"key": "a", "valueExpression": "'k is ' + object.data.k"},
                    {"key": "b", "valueExpression": "null"},
                ]
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "audit annotations with an error": (
        [policy(auditAnnotations=[{"key": "a", "valueExpression": "string(object.data.nope)"}]), binding("Warn")],
        [ASK],
    ),
    "audit annotations with an error, failing open": (
        [
            policy(
                auditAnnotations=[{"key": "a", "valueExpression": "string(object.data.nope)"}], failurePolicy="Ignore"
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "a scale": (
        [
            (f"{APPS}/deployments", deployment()),
            policy(
                check(
                    "object.spec.replicas < 3",
                    messageExpression="object.kind + ' ' + request.resource.resource + '/' + request.subResource",
                ),
                match=rule("deployments/scale", "apps", "UPDATE"),
            ),
            _BOUND,
        ],
        [("PATCH", f"{APPS}/deployments/web/scale?dryRun=All", {"spec": {"replicas": 5}}, MERGE)],
    ),
    "another version": (
        [
            policy(
                check(
                    "false",
                    messageExpression="object.apiVersion + ' ' + request.kind.version + ' ' + request.requestKind.version + ' ' + request.resource.version",
                ),
                match=rule("horizontalpodautoscalers", "autoscaling", version="v1"),
            ),
            _BOUND,
        ],
        [_AUTOSCALER],
    ),
    "another version, exactly": (
        [
            policy(
                NO,
                match=rule("horizontalpodautoscalers", "autoscaling", version="v1"),
                constraints={"matchPolicy": "Exact"},
            ),
            _BOUND,
        ],
        [_AUTOSCALER],
    ),
    "webhook configurations": (
        [policy(NO, match=rule("validatingwebhookconfigurations", "admissionregistration.k8s.io")), _BOUND],
        [create(f"{V1}/validatingwebhookconfigurations", {"metadata": {"name": "h"}})],
    ),
    "policies": (
        [policy(NO, match=rule("*", "admissionregistration.k8s.io")), _BOUND],
        [create(POLICIES, policy(NO, name="q")[1]), create(BINDINGS, binding(name="q")[1])],
    ),
    "questions": (
        [policy(NO, match=rule("*", "authorization.k8s.io")), _BOUND],
        [
            (
                "POST",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
            )
        ],
    ),
    "deployments": (
        [policy(check("object.spec.replicas > 1"), match=DEPLOYMENTS), _BOUND],
        [create(f"{APPS}/deployments", deployment())],
    ),
    **{
        f"said: {text}": ([_said(text), _BOUND], [ASK])
        for text in (
            *(
                "namespaceObject.metadata.name",
                "request.kind.kind",
                "request.options.kind",
                "request.dryRun",
            ),
            *("has(request.namespace)", "has(request.subResource)"),
            *(
                "has(object.metadata.uid)",
                "namespaceObject.metadata.creationTimestamp",
            ),
            *(
                "size(object.metadata.managedFields)",
                "namespaceObject.status.phase",
                "has(namespaceObject.metadata.labels)",
            ),
            *(
                "request.userInfo.groups[0]",
                "request.name",
                "has(object.metadata.annotations)",
                "object.kind + object.apiVersion",
            ),
        )
    },
    **{
        f"checked: {text}": ([policy(check(text, message="no")), _BOUND], [ASK])
        for text in (
            "authorizer.group('').resource('pods').namespace('default').check('get').allowed()",
            "authorizer.path('/healthz').check('get').allowed()",
            "authorizer.serviceAccount('default', 'x').group('').resource('pods').check('get').allowed()",
            "authorizer.serviceAccount('default', 'x').group('').resource('pods').check('get').reason() == ''",
            "authorizer.requestResource.check('create').allowed()",
            "authorizer.group('').resource('pods').fieldSelector('a=b').labelSelector('c=d').check('list').allowed()",
            "authorizer.group('').resource('pods').labelSelector('===').check('list').errored()",
        )
    },
}

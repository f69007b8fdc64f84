"""Scenarios of mutating policies: conditions, variables, parameters, bindings, selectors: whom a policy is for."""

from tests.contract.policy_objects import (
    ASK,
    BOUND,
    CONFIGMAPS,
    CORE,
    LABELLED,
    MERGE,
    NO_PARAMS,
    OF_PARAMS,
    TEAM,
    apply,
    binding,
    config_map,
    create,
    policy,
    rule,
)

SCENARIOS = {
    "out of budget": (
        [
            policy(
                "p",
                apply(
                    "Object{data: {'x': string([1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, a+b+c)))))).size())}}"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "conditions": (
        [
            policy("p", apply(LABELLED), matchConditions=[{"name": "c", "expression": "object.metadata.name == 'd'"}]),
            BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
    "a condition fails": (
        [policy("p", apply(LABELLED), matchConditions=[{"name": "c", "expression": "object.nope == 'x'"}]), BOUND],
        [ASK],
    ),
    "a condition fails open": (
        [
            policy(
                "p",
                apply(LABELLED),
                matchConditions=[{"name": "c", "expression": "object.nope == 'x'"}],
                failurePolicy="Ignore",
            ),
            BOUND,
        ],
        [ASK],
    ),
    "variables": (
        [
            policy(
                "p",
                apply("Object{data: {'x': variables.twice}}"),
                apply("Object{data: {'z': variables.twice}}"),
                apply("Object{data: {'size': string(variables.size)}}"),
                variables=[
                    {"name": "once", "expression": "object.data.k"},
                    {"name": "twice", "expression": "variables.once + variables.once"},
                    {"name": "size", "expression": "size(object.data)"},
                ],
            ),
            BOUND,
        ],
        [ASK],
    ),
    "a variable fails": (
        [
            policy(
                "p",
                apply("Object{data: {'x': variables.v}}"),
                variables=[{"name": "v", "expression": "object.data.nope"}],
            ),
            BOUND,
        ],
        [ASK],
    ),
    "what is known": (
        [
            policy(
                "p",
                apply(
                    "Object{data: {'op': request.operation, 'ns': "
                    "namespaceObject.metadata.name, 'old': string(oldObject == null), 'may': "
                    "string(authorizer.group('').resource('pods').namespace('default').check('create').allowed()), "
                    "'res': request.resource.resource, 'kind': request.kind.kind}}"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "an update": (
        [
            (f"{CORE}/configmaps", config_map("known", {"k": "1"})),
            policy(
                "p",
                apply("Object{data: {'old': oldObject.data.k, 'new': object.data.k}}"),
                match=rule("configmaps", "", "UPDATE"),
            ),
            BOUND,
        ],
        [
            ("PATCH", f"{CORE}/configmaps/known?dryRun=All&fieldManager=m", {"data": {"k": "2"}}, MERGE),
            ("PATCH", f"{CORE}/configmaps/known?dryRun=All&fieldManager=m", {"data": {"k": None}}, MERGE),
            ("DELETE", f"{CORE}/configmaps/known?dryRun=All", None),
        ],
    ),
    "params by name": (
        [
            policy("p", apply(TEAM), **OF_PARAMS, **NO_PARAMS),
            binding("b", paramRef={"name": "param", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params by namespace and name": (
        [
            policy("p", apply(TEAM), **OF_PARAMS),
            binding("b", paramRef={"name": "param", "namespace": "default", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params by selector": (
        [
            policy("p", apply(TEAM), **OF_PARAMS),
            binding("b", paramRef={"selector": {"matchLabels": {"is": "param"}}, "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params not found": (
        [
            policy("p", apply(TEAM), **OF_PARAMS),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params not found, allowed": (
        [
            policy("p", apply(TEAM), **OF_PARAMS),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Allow"}),
        ],
        [ASK],
    ),
    "params not found, failing open": (
        [
            policy("p", apply(TEAM), **OF_PARAMS, failurePolicy="Ignore"),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params without a reference": ([policy("p", apply(TEAM), **OF_PARAMS), BOUND], [ASK]),
    "params of an unknown kind": (
        [
            policy("p", apply(LABELLED), paramKind={"apiVersion": "nope.io/v1", "kind": "Nope"}),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params of a cluster-wide kind": (
        [
            policy(
                "p",
                apply("Object{metadata: Object.metadata{labels: {'x': params.metadata.name}}}"),
                paramKind={"apiVersion": "v1", "kind": "Namespace"},
            ),
            binding("b", paramRef={"name": "default", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "a cluster-wide param with a namespace": (
        [
            policy("p", apply(LABELLED), paramKind={"apiVersion": "v1", "kind": "Namespace"}),
            binding("b", paramRef={"name": "default", "namespace": "default", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "a namespaced param for a cluster-wide object": (
        [
            policy("p", apply(LABELLED), match=rule("priorityclasses", "scheduling.k8s.io"), **OF_PARAMS),
            binding("b", paramRef={"name": "param", "parameterNotFoundAction": "Deny"}),
        ],
        [create("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "x"}, "value": 1})],
    ),
    "a namespace": (
        [
            policy(
                "p",
                apply("Object{metadata: Object.metadata{labels: {'n': string(namespaceObject == null)}}}"),
                match=rule("namespaces"),
            ),
            BOUND,
        ],
        [create("/api/v1/namespaces", {"metadata": {"name": "fresh"}})],
    ),
    "no binding": ([policy("p", apply(LABELLED))], [ASK]),
    "a binding that matches less": (
        [
            policy("p", apply(LABELLED)),
            binding("b", matchResources={"resourceRules": [{**CONFIGMAPS, "resourceNames": ["d"]}]}),
        ],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
    "selectors": (
        [
            policy("p", apply(LABELLED), constraints={"objectSelector": {"matchLabels": {"pick": "me"}}}),
            BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map(labels={"pick": "me"}))],
    ),
    "excluded rules": (
        [
            policy(
                "p", apply(LABELLED), constraints={"excludeResourceRules": [{**CONFIGMAPS, "resourceNames": ["c"]}]}
            ),
            BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
}

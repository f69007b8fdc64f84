"""Scenarios of mutating policies: what an apply configuration makes of an object."""

from tests.contract.policy_objects import (
    APPLY,
    ASK,
    BOUND,
    CORE,
    DEPLOY,
    DEPLOYMENTS,
    IN_CONTAINERS,
    LABELLED,
    apply,
    config_map,
    create,
    policy,
)

SCENARIOS = {
    "apply labels": ([policy("p", apply(LABELLED)), BOUND], [ASK]),
    "apply over labels": (
        [policy("p", apply(LABELLED)), BOUND],
        [create(f"{CORE}/configmaps", config_map(labels={"team/x": "z", "a": "b"}))],
    ),
    "apply with server-side apply": (
        [policy("p", apply(LABELLED)), BOUND],
        [("PATCH", f"{CORE}/configmaps/c?dryRun=All&fieldManager=m", config_map(), APPLY)],
    ),
    "apply data": ([policy("p", apply('Object{data: {"x": "1"}}')), BOUND], [ASK]),
    "apply replicas": (
        [policy("p", apply("Object{spec: Object.spec{replicas: 3}}"), match=DEPLOYMENTS), BOUND],
        [DEPLOY],
    ),
    "apply a sidecar": (
        [policy("p", apply(IN_CONTAINERS.format('name: "side", image: "x"')), match=DEPLOYMENTS), BOUND],
        [DEPLOY],
    ),
    "apply into a container": (
        [
            policy(
                "p",
                apply(
                    IN_CONTAINERS.format(
                        'name: "main", env: [Object.spec.template.spec.containers.env{name: "B", value: "2"}]'
                    )
                ),
                match=DEPLOYMENTS,
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "apply an atomic list": (
        [policy("p", apply(IN_CONTAINERS.format('name: "main", args: ["b"]')), match=DEPLOYMENTS), BOUND],
        [DEPLOY],
    ),
    "apply an atomic list, failing open": (
        [
            policy(
                "p",
                apply(IN_CONTAINERS.format('name: "main", args: ["b"]')),
                apply(LABELLED),
                match=DEPLOYMENTS,
                failurePolicy="Ignore",
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "apply atomic maps": (
        [
            policy(
                "p",
                apply(
                    'Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"a": "b"}},'
                    "template: Object.spec.template{spec: Object.spec.template.spec{"
                    'nodeSelector: {"x": "y"}}}}}'
                ),
                match=DEPLOYMENTS,
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "apply misnamed objects": (
        [policy("p", apply("Object{spec: Object.spec{template: Object.spec.wrong{}}}"), match=DEPLOYMENTS), BOUND],
        [DEPLOY],
    ),
    "apply an unknown field": ([policy("p", apply("Object{nope: 1}")), BOUND], [ASK]),
    "apply a mistyped field": (
        [policy("p", apply("Object{spec: Object.spec{replicas: 'x'}}"), match=DEPLOYMENTS), BOUND],
        [DEPLOY],
    ),
    "apply a mistyped map": ([policy("p", apply("Object{data: {'x': 1}}")), BOUND], [ASK]),
    "apply null": ([policy("p", apply("Object{metadata: Object.metadata{labels: null}}")), BOUND], [ASK]),
    "apply an empty object": ([policy("p", apply("Object{}")), BOUND], [ASK]),
    "apply optional fields": (
        [
            policy(
                "p",
                apply(
                    "Object{metadata: Object.metadata{?labels: optional.none(), ?annotations: optional.of({'a': 'b'})}}"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "apply a bad quantity": (
        [
            policy(
                "p",
                apply(
                    IN_CONTAINERS.format(
                        'name: "main", resources: Object.spec.template.spec.containers.resources{limits: {"cpu": "x"}}'
                    )
                ),
                match=DEPLOYMENTS,
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "apply another name": ([policy("p", apply("Object{metadata: Object.metadata{name: 'other'}}")), BOUND], [ASK]),
    "read what was made": (
        [
            policy("p", apply("Object{data: {'x': string(Object{a: 'b'}.a)}}")),
            BOUND,
        ],
        [ASK],
    ),
    "an error": ([policy("p", apply("Object{data: {'x': object.data.nope}}")), BOUND], [ASK]),
    "an error, failing open": (
        [policy("p", apply("Object{data: {'x': object.data.nope}}"), failurePolicy="Ignore"), BOUND],
        [ASK],
    ),
    "two errors": (
        [
            policy("p", apply("Object{data: {'x': object.data.nope}}"), apply("Object{data: {'x': object.data.none}}")),
            BOUND,
        ],
        [ASK],
    ),
}

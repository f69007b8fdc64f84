"""Scenarios of mutating policies: JSON patches, and several mutations, policies and rounds."""

from tests.contract.policy_objects import (
    APPS,
    ASK,
    BOUND,
    DEPLOY,
    DEPLOYMENTS,
    LABELLED,
    MERGE,
    appends,
    apply,
    binding,
    deployment,
    patch,
    policy,
    rule,
    two,
)

SCENARIOS = {
    "patch labels": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]")), BOUND],
        [ASK],
    ),
    "patch with an escaped key": (
        [
            policy(
                "p",
                patch(
                    "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}, JSONPatch{op: 'add', "
                    "path: '/metadata/annotations/' + jsonpatch.escapeKey('example.com/a~b'), value: 'c'}]"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "patch every operation": (
        [
            policy(
                "p",
                patch(
                    "[JSONPatch{op: 'test', path: '/data/k', value: 'v'}, JSONPatch{op: 'copy', from: '/data/k', path: "
                    "'/data/copy'}, JSONPatch{op: 'move', from: '/data/k', path: '/data/moved'}, JSONPatch{op: "
                    "'replace', path: '/data/copy', value: 'new'}, JSONPatch{op: 'add', path: '/data/gone', value: 'x'}, "
                    "JSONPatch{op: 'remove', path: '/data/gone'}]"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "patch whose test fails": (
        [
            policy(
                "p",
                patch("[JSONPatch{op: 'test', path: '/data/k', value: 'w'}, JSONPatch{op: 'remove', path: '/data/k'}]"),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "patch from a condition": (
        [
            policy(
                "p",
                patch(
                    "has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]"
                ),
            ),
            BOUND,
        ],
        [ASK],
    ),
    **{
        f"patch that does not apply: {text}": ([policy("p", patch(f"[JSONPatch{{{text}}}]")), BOUND], [ask])
        for text, ask in (
            ("op: 'remove', path: '/data/none'", ASK),
            ("op: 'add', path: '/nope/none', value: 'x'", ASK),
            ("op: 'replace', path: '/nope/none', value: 'x'", ASK),
            ("op: 'copy', from: '/nope/none', path: '/data/x'", ASK),
            ("op: 'move', from: '/data/none', path: '/data/x'", ASK),
            ("op: 'jump', path: '/data/none'", ASK),
            ("op: 'add', value: 'x'", ASK),
            ("path: '/data/none', value: 'x'", ASK),
            ("op: 'add', path: '/data/x'", ASK),
            ("op: 'add', path: '/metadata/labels', value: 'x'", ASK),
            ("op: 'add', path: '/data/x', value: 1", ASK),
            ("op: 'add', path: '/nope', value: 'x'", ASK),
            ("op: 'remove', path: '/kind'", ASK),
        )
    },
    "patch a list out of bounds": (
        [
            policy(
                "p",
                patch("[JSONPatch{op: 'add', path: '/spec/template/spec/containers/7', value: 'x'}]"),
                match=DEPLOYMENTS,
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "patch an atomic list": (
        [
            policy(
                "p",
                patch("[JSONPatch{op: 'add', path: '/spec/template/spec/containers/0/args/-', value: 'x'}]"),
                match=DEPLOYMENTS,
            ),
            BOUND,
        ],
        [DEPLOY],
    ),
    "patch with objects": (
        [
            policy(
                "p",
                patch("[JSONPatch{op: 'add', path: '/metadata/annotations', value: Object.x{a: 'b'}}]"),
                patch("[JSONPatch{op: 'replace', path: '/data', value: Object{a: Object.b{c: 'b'}}}]"),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "patch with Object": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/data', value: Object{a: 'b'}}]")), BOUND],
        [ASK],
    ),
    "patch with a misnamed object": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/data', value: Object.data{a: 'b'}}]")), BOUND],
        [ASK],
    ),
    "patch with an error, failing open": (
        [
            policy(
                "p", patch("[JSONPatch{op: 'remove', path: '/data/none'}]"), apply(LABELLED), failurePolicy="Ignore"
            ),
            BOUND,
        ],
        [ASK],
    ),
    "patch an unknown field, failing open": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/nope', value: 'x'}]"), failurePolicy="Ignore"), BOUND],
        [ASK],
    ),
    "order": (two(appends("p", "Never", "p"), appends("q", "Never", "q")), [ASK]),
    "reinvocation of the first": (two(appends("p", "IfNeeded", "p"), appends("q", "Never", "q")), [ASK]),
    "reinvocation of the second": (two(appends("p", "Never", "p"), appends("q", "IfNeeded", "q")), [ASK]),
    "reinvocation of both": (two(appends("p", "IfNeeded", "p"), appends("q", "IfNeeded", "q")), [ASK]),
    "reinvocation of one alone": ([appends("p", "IfNeeded", "p"), BOUND], [ASK]),
    "reinvocation of what changes nothing": (
        [policy("p", apply("Object{data: {'k': 'v'}}"), reinvocation="IfNeeded"), BOUND],
        [ASK],
    ),
    "two bindings": ([appends("p", "Never", "p"), BOUND, binding("b2")], [ASK]),
    "several mutations": (
        [
            policy(
                "p",
                apply("Object{data: {'x': '1'}}"),
                patch("[JSONPatch{op: 'add', path: '/data/y', value: object.data.x + '2'}]"),
            ),
            BOUND,
        ],
        [ASK],
    ),
    "a scale": (
        [
            (f"{APPS}/deployments", deployment()),
            policy(
                "p", apply("Object{spec: Object.spec{replicas: 5}}"), match=rule("deployments/scale", "apps", "UPDATE")
            ),
            BOUND,
        ],
        [("PATCH", f"{APPS}/deployments/web/scale?dryRun=All", {"spec": {"replicas": 2}}, MERGE)],
    ),
}

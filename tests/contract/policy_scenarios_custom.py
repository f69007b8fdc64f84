"""Scenarios of mutating policies: custom resources, whose schema says how lists and maps merge."""

from tests.contract.policy_objects import (
    BOUND,
    CUSTOM,
    WIDGET,
    WIDGETS,
    apply,
    create,
    held,
    merged,
    patch,
    policy,
    widget,
)

SCENARIOS = {
    "custom: size": (
        [policy("p", apply("Object{spec: Object.spec{size: object.spec.size + 1}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: keyed list": (
        [
            policy(
                "p",
                apply(
                    "Object{spec: Object.spec{parts: [Object.spec.parts{name: 'b', count: 2}, Object.spec.parts{name: 'c'}]}}"
                ),
                match=CUSTOM,
            ),
            BOUND,
        ],
        [create(WIDGETS, widget(parts=[{"name": "a"}, {"name": "b"}]))],
    ),
    "custom: set": (
        [policy("p", apply("Object{spec: Object.spec{tags: ['b', 'c']}}"), match=CUSTOM), BOUND],
        [create(WIDGETS, widget(tags=["a", "b"]))],
    ),
    "custom: atomic list": (
        [policy("p", apply("Object{spec: Object.spec{plain: ['b']}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: atomic map": (
        [policy("p", apply("Object{spec: Object.spec{whole: Object.spec.whole{a: 'b'}}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: anything": (
        [policy("p", apply("Object{spec: Object.spec{any: Object.spec.any{x: {'y': 'z'}}}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: anything with a list": (
        [policy("p", apply("Object{spec: Object.spec{any: Object.spec.any{x: ['z']}}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: unknown field": (
        [policy("p", apply("Object{spec: Object.spec{nope: 1}}"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: patch": (
        [policy("p", patch("[JSONPatch{op: 'replace', path: '/spec/size', value: 7}]"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: patch unknown": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/spec/nope', value: 7}]"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    "custom: patch mistyped": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/spec/size', value: 'x'}]"), match=CUSTOM), BOUND],
        [WIDGET],
    ),
    **{
        f"a value in a patch: {text}": ([held(text), BOUND], [WIDGET])
        for text in (
            *("1", "1u", "1.5", "2.0", "true", "null", "[1, 2]", "{'a': 1}", "b'ab'", "duration('90s')", "int"),
            *(
                "timestamp('2020-01-02T03:04:05Z')",
                "9007199254740993",
                "quantity('1Gi')",
                "dyn({1: 'a'})",
            ),
            *("optional.of(1)", "object.spec", "JSONPatch{op: 'x'}"),
        )
    },
    **{
        f"a value in an object: {text}": ([merged(text), BOUND], [WIDGET])
        for text in (*("1", "1.5", "true", "{'a': 1}", "object.spec.size", "object.spec"),)
    },
}

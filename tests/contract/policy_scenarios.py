"""Scenarios of mutating policies: what is set up, what is asked then. An upstream server and ours give the same answers.

scripts/record_policies.py asks upstream and keeps the answers, test_admission_mutating.py asks ours.
"""

import copy
import re
from typing import Any

V1 = "/apis/admissionregistration.k8s.io/v1beta1"
POLICIES, BINDINGS = f"{V1}/mutatingadmissionpolicies", f"{V1}/mutatingadmissionpolicybindings"
CORE, APPS = "/api/v1/namespaces/default", "/apis/apps/v1/namespaces/default"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


def rule(resource, group="", *operations, version="v1"):
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations) or ["CREATE", "UPDATE"],
        "resources": [resource],
    }


CONFIGMAPS, DEPLOYMENTS, CUSTOM = rule("configmaps"), rule("deployments", "apps"), rule("widgets", "example.com")


def apply(expression):
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patch(expression):
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def policy(name, *mutations, match=CONFIGMAPS, reinvocation="Never", constraints=None, **spec):
    constraints = {"resourceRules": [match], **(constraints or {})}
    given = {"matchConstraints": constraints, "mutations": list(mutations), "reinvocationPolicy": reinvocation, **spec}
    return (POLICIES, {"metadata": {"name": name}, "spec": given})


def binding(name, to="p", **spec):
    return (BINDINGS, {"metadata": {"name": name}, "spec": {"policyName": to, **spec}})


def config_map(name="c", data=None, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {"k": "v"}}


def create(path, tree):
    return ("POST", f"{path}?dryRun=All&fieldManager=m", tree)


ASK = create(f"{CORE}/configmaps", config_map())
LABELLED = 'Object{metadata: Object.metadata{labels: {"team/x": "y"}}}'


def deployment(**spec):
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "main", "image": "busybox", "args": ["a"], "env": [{"name": "A", "value": "1"}]}]
        },
    }
    given = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": given}


DEPLOY = create(f"{APPS}/deployments", deployment())
_IN_CONTAINERS = (
    "Object{{spec: Object.spec{{template: Object.spec.template{{spec: Object.spec.template.spec{{containers: ["
    "Object.spec.template.spec.containers{{{}}}]}}}}}}}}"
)


def widget(**more):
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1, **more}}


_PROPERTIES = {
    "size": {"type": "integer"},
    "color": {"type": "string", "default": "red"},
    "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    "plain": {"type": "array", "items": {"type": "string"}},
    "parts": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}},
        },
    },
    "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {
        "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": _PROPERTIES}}}
    },
}
DEFINITION = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [_VERSION],
    },
}
WIDGET = create(WIDGETS, widget())

#: There from the beginning: upstream's list of parameters stands still once the first policy that used it has gone.
SETUP = (
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION),
    (f"{CORE}/configmaps", config_map("param", {"team": "blue"}, labels={"is": "param"})),
    (f"{CORE}/configmaps", config_map("param-b", {"team": "green"}, labels={"is": "param"})),
)
_OF_PARAMS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
_NO_PARAMS = {"matchConditions": [{"name": "c", "expression": "!object.metadata.name.startsWith('param')"}]}
_TEAM = 'Object{metadata: Object.metadata{labels: {"team-" + params.metadata.name: string(params.data.team)}}}'


def _value(text):
    return patch(f'[JSONPatch{{op: "add", path: "/data/x", value: {text}}}]')


def _json(text):
    """A value that a widget takes as it is."""
    return policy("p", patch(f'[JSONPatch{{op: "add", path: "/spec/any", value: {{"x": {text}}}}}]'), match=CUSTOM)


def _merged(text):
    return policy("p", apply(f"Object{{spec: Object.spec{{any: Object.spec.any{{x: {text}}}}}}}"), match=CUSTOM)


def _appends(name, reinvocation, key, **more):
    """A policy that adds a letter to an annotation whenever it is invoked."""
    text = "has(object.metadata.annotations) && 'order' in object.metadata.annotations"
    before = f"({text} ? object.metadata.annotations.order : '')"
    return policy(
        name,
        apply(f'Object{{metadata: Object.metadata{{annotations: {{"order": {before} + "{key}"}}}}}}'),
        reinvocation=reinvocation,
        **more,
    )


def _two(one, other, *, more=()):
    return [one, other, binding("b", "p"), binding("b2", "q"), *more]


_BOUND = binding("b")

#: name -> (what is made first, what is asked then)
SCENARIOS = {
    "apply labels": ([policy("p", apply(LABELLED)), _BOUND], [ASK]),
    "apply over labels": (
        [policy("p", apply(LABELLED)), _BOUND],
        [create(f"{CORE}/configmaps", config_map(labels={"team/x": "z", "a": "b"}))],
    ),
    "apply with server-side apply": (
        [policy("p", apply(LABELLED)), _BOUND],
        [("PATCH", f"{CORE}/configmaps/c?dryRun=All&fieldManager=m", config_map(), APPLY)],
    ),
    "apply data": ([policy("p", apply('Object{data: {"x": "1"}}')), _BOUND], [ASK]),
    "apply replicas": (
        [policy("p", apply("Object{spec: Object.spec{replicas: 3}}"), match=DEPLOYMENTS), _BOUND],
        [DEPLOY],
    ),
    "apply a sidecar": (
        [policy("p", apply(_IN_CONTAINERS.format('name: "side", image: "x"')), match=DEPLOYMENTS), _BOUND],
        [DEPLOY],
    ),
    "apply into a container": (
        [
            policy(
                "p",
                apply(
                    _IN_CONTAINERS.format(
                        'name: "main", env: [Object.spec.template.spec.containers.env{name: "B", value: "2"}]'
                    )
                ),
                match=DEPLOYMENTS,
            ),
            _BOUND,
        ],
        [DEPLOY],
    ),
    "apply an atomic list": (
        [policy("p", apply(_IN_CONTAINERS.format('name: "main", args: ["b"]')), match=DEPLOYMENTS), _BOUND],
        [DEPLOY],
    ),
    "apply an atomic list, failing open": (
        [
            policy(
                "p",
                apply(_IN_CONTAINERS.format('name: "main", args: ["b"]')),
                apply(LABELLED),
                match=DEPLOYMENTS,
                failurePolicy="Ignore",
            ),
            _BOUND,
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
            _BOUND,
        ],
        [DEPLOY],
    ),
    "apply misnamed objects": (
        [policy("p", apply("Object{spec: Object.spec{template: Object.spec.wrong{}}}"), match=DEPLOYMENTS), _BOUND],
        [DEPLOY],
    ),
    "apply an unknown field": ([policy("p", apply("Object{nope: 1}")), _BOUND], [ASK]),
    "apply a mistyped field": (
        [policy("p", apply("Object{spec: Object.spec{replicas: 'x'}}"), match=DEPLOYMENTS), _BOUND],
        [DEPLOY],
    ),
    "apply a mistyped map": ([policy("p", apply("Object{data: {'x': 1}}")), _BOUND], [ASK]),
    "apply null": ([policy("p", apply("Object{metadata: Object.metadata{labels: null}}")), _BOUND], [ASK]),
    "apply an empty object": ([policy("p", apply("Object{}")), _BOUND], [ASK]),
    "apply optional fields": (
        [
            policy(
                "p",
                apply(
                    "Object{metadata: Object.metadata{?labels: optional.none(), ?annotations: optional.of({'a': 'b'})}}"
                ),
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "apply a bad quantity": (
        [
            policy(
                "p",
                apply(
                    _IN_CONTAINERS.format(
                        'name: "main", resources: Object.spec.template.spec.containers.resources{limits: {"cpu": "x"}}'
                    )
                ),
                match=DEPLOYMENTS,
            ),
            _BOUND,
        ],
        [DEPLOY],
    ),
    "apply another name": ([policy("p", apply("Object{metadata: Object.metadata{name: 'other'}}")), _BOUND], [ASK]),
    "read what was made": (
        [
            policy("p", apply("Object{data: {'x': string(Object{a: 'b'}.a)}}")),
            _BOUND,
        ],
        [ASK],
    ),
    "an error": ([policy("p", apply("Object{data: {'x': object.data.nope}}")), _BOUND], [ASK]),
    "an error, failing open": (
        [policy("p", apply("Object{data: {'x': object.data.nope}}"), failurePolicy="Ignore"), _BOUND],
        [ASK],
    ),
    "two errors": (
        [
            policy("p", apply("Object{data: {'x': object.data.nope}}"), apply("Object{data: {'x': object.data.none}}")),
            _BOUND,
        ],
        [ASK],
    ),
    "out of budget": (
        [
            policy(
                "p",
                apply(
                    "Object{data: {'x': string([1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, a+b+c)))))).size())}}"
                ),
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "conditions": (
        [
            policy("p", apply(LABELLED), matchConditions=[{"name": "c", "expression": "object.metadata.name == 'd'"}]),
            _BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
    "a condition fails": (
        [policy("p", apply(LABELLED), matchConditions=[{"name": "c", "expression": "object.nope == 'x'"}]), _BOUND],
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
            _BOUND,
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
            _BOUND,
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
            _BOUND,
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
            _BOUND,
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
            _BOUND,
        ],
        [
            ("PATCH", f"{CORE}/configmaps/known?dryRun=All&fieldManager=m", {"data": {"k": "2"}}, MERGE),
            ("PATCH", f"{CORE}/configmaps/known?dryRun=All&fieldManager=m", {"data": {"k": None}}, MERGE),
            ("DELETE", f"{CORE}/configmaps/known?dryRun=All", None),
        ],
    ),
    "params by name": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS, **_NO_PARAMS),
            binding("b", paramRef={"name": "param", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params by namespace and name": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS),
            binding("b", paramRef={"name": "param", "namespace": "default", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params by selector": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS),
            binding("b", paramRef={"selector": {"matchLabels": {"is": "param"}}, "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params not found": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params not found, allowed": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Allow"}),
        ],
        [ASK],
    ),
    "params not found, failing open": (
        [
            policy("p", apply(_TEAM), **_OF_PARAMS, failurePolicy="Ignore"),
            binding("b", paramRef={"name": "none", "parameterNotFoundAction": "Deny"}),
        ],
        [ASK],
    ),
    "params without a reference": ([policy("p", apply(_TEAM), **_OF_PARAMS), _BOUND], [ASK]),
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
            policy("p", apply(LABELLED), match=rule("priorityclasses", "scheduling.k8s.io"), **_OF_PARAMS),
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
            _BOUND,
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
            _BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map(labels={"pick": "me"}))],
    ),
    "excluded rules": (
        [
            policy(
                "p", apply(LABELLED), constraints={"excludeResourceRules": [{**CONFIGMAPS, "resourceNames": ["c"]}]}
            ),
            _BOUND,
        ],
        [ASK, create(f"{CORE}/configmaps", config_map("d"))],
    ),
    "patch labels": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]")), _BOUND],
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
            _BOUND,
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
            _BOUND,
        ],
        [ASK],
    ),
    "patch whose test fails": (
        [
            policy(
                "p",
                patch("[JSONPatch{op: 'test', path: '/data/k', value: 'w'}, JSONPatch{op: 'remove', path: '/data/k'}]"),
            ),
            _BOUND,
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
            _BOUND,
        ],
        [ASK],
    ),
    **{
        f"patch that does not apply: {text}": ([policy("p", patch(f"[JSONPatch{{{text}}}]")), _BOUND], [ask])
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
            _BOUND,
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
            _BOUND,
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
            _BOUND,
        ],
        [ASK],
    ),
    "patch with Object": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/data', value: Object{a: 'b'}}]")), _BOUND],
        [ASK],
    ),
    "patch with a misnamed object": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/data', value: Object.data{a: 'b'}}]")), _BOUND],
        [ASK],
    ),
    "patch with an error, failing open": (
        [
            policy(
                "p", patch("[JSONPatch{op: 'remove', path: '/data/none'}]"), apply(LABELLED), failurePolicy="Ignore"
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "patch an unknown field, failing open": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/nope', value: 'x'}]"), failurePolicy="Ignore"), _BOUND],
        [ASK],
    ),
    "order": (_two(_appends("p", "Never", "p"), _appends("q", "Never", "q")), [ASK]),
    "reinvocation of the first": (_two(_appends("p", "IfNeeded", "p"), _appends("q", "Never", "q")), [ASK]),
    "reinvocation of the second": (_two(_appends("p", "Never", "p"), _appends("q", "IfNeeded", "q")), [ASK]),
    "reinvocation of both": (_two(_appends("p", "IfNeeded", "p"), _appends("q", "IfNeeded", "q")), [ASK]),
    "reinvocation of one alone": ([_appends("p", "IfNeeded", "p"), _BOUND], [ASK]),
    "reinvocation of what changes nothing": (
        [policy("p", apply("Object{data: {'k': 'v'}}"), reinvocation="IfNeeded"), _BOUND],
        [ASK],
    ),
    "two bindings": ([_appends("p", "Never", "p"), _BOUND, binding("b2")], [ASK]),
    "several mutations": (
        [
            policy(
                "p",
                apply("Object{data: {'x': '1'}}"),
                patch("[JSONPatch{op: 'add', path: '/data/y', value: object.data.x + '2'}]"),
            ),
            _BOUND,
        ],
        [ASK],
    ),
    "a scale": (
        [
            (f"{APPS}/deployments", deployment()),
            policy(
                "p", apply("Object{spec: Object.spec{replicas: 5}}"), match=rule("deployments/scale", "apps", "UPDATE")
            ),
            _BOUND,
        ],
        [("PATCH", f"{APPS}/deployments/web/scale?dryRun=All", {"spec": {"replicas": 2}}, MERGE)],
    ),
    "custom: size": (
        [policy("p", apply("Object{spec: Object.spec{size: object.spec.size + 1}}"), match=CUSTOM), _BOUND],
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
            _BOUND,
        ],
        [create(WIDGETS, widget(parts=[{"name": "a"}, {"name": "b"}]))],
    ),
    "custom: set": (
        [policy("p", apply("Object{spec: Object.spec{tags: ['b', 'c']}}"), match=CUSTOM), _BOUND],
        [create(WIDGETS, widget(tags=["a", "b"]))],
    ),
    "custom: atomic list": (
        [policy("p", apply("Object{spec: Object.spec{plain: ['b']}}"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: atomic map": (
        [policy("p", apply("Object{spec: Object.spec{whole: Object.spec.whole{a: 'b'}}}"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: anything": (
        [policy("p", apply("Object{spec: Object.spec{any: Object.spec.any{x: {'y': 'z'}}}}"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: anything with a list": (
        [policy("p", apply("Object{spec: Object.spec{any: Object.spec.any{x: ['z']}}}"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: unknown field": (
        [policy("p", apply("Object{spec: Object.spec{nope: 1}}"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: patch": (
        [policy("p", patch("[JSONPatch{op: 'replace', path: '/spec/size', value: 7}]"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: patch unknown": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/spec/nope', value: 7}]"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    "custom: patch mistyped": (
        [policy("p", patch("[JSONPatch{op: 'add', path: '/spec/size', value: 'x'}]"), match=CUSTOM), _BOUND],
        [WIDGET],
    ),
    **{
        f"a value in a patch: {text}": ([_json(text), _BOUND], [WIDGET])
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
        f"a value in an object: {text}": ([_merged(text), _BOUND], [WIDGET])
        for text in (*("1", "1.5", "true", "{'a': 1}", "object.spec.size", "object.spec"),)
    },
}

#: Policies and bindings that are refused.
_GOOD = {
    "matchConstraints": {"resourceRules": [CONFIGMAPS]},
    "mutations": [apply("Object{}")],
    "reinvocationPolicy": "Never",
}


def _changed(**changes):
    spec = {**copy.deepcopy(_GOOD), **changes}
    return {"metadata": {"name": "bad"}, "spec": {key: value for key, value in spec.items() if value is not None}}


BAD = {
    "nothing": {"metadata": {"name": "bad"}},
    "no mutations": _changed(mutations=[]),
    "no reinvocation": _changed(reinvocationPolicy=None),
    "bad reinvocation": _changed(reinvocationPolicy="Always"),
    "bad failure policy": _changed(failurePolicy="Open"),
    "no constraints": _changed(matchConstraints=None),
    "no rules": _changed(matchConstraints={}),
    "deletes": _changed(matchConstraints={"resourceRules": [rule("configmaps", "", "DELETE", "CREATE")]}),
    "no patch type": _changed(mutations=[{}]),
    "bad patch type": _changed(mutations=[{"patchType": "Merge"}]),
    "no expression": _changed(mutations=[apply(" ")]),
    "no patch expression": _changed(mutations=[patch("")]),
    "missing member": _changed(mutations=[{"patchType": "JSONPatch"}, {"patchType": "ApplyConfiguration"}]),
    "wrong member": _changed(
        mutations=[
            {**apply("Object{}"), "patchType": "JSONPatch"},
            {**patch("[]"), "patchType": "ApplyConfiguration"},
            {**patch("[]"), **apply("Object{}")},
        ]
    ),
    "not an object": _changed(mutations=[apply("{'a': 'b'}"), apply("Object.spec{}"), apply("1")]),
    "not a patch": _changed(mutations=[patch("[1]"), patch("JSONPatch{}"), patch("[]")]),
    "unknown field of a patch": _changed(mutations=[patch("[JSONPatch{operation: 'x'}]")]),
    "mistyped field of a patch": _changed(mutations=[patch("[JSONPatch{op: 1}]")]),
    "a type as a value": _changed(mutations=[apply("type(Object{}) == Object ? Object{} : Object{}")]),
    "unknown type": _changed(mutations=[apply("Objects{}")]),
    "syntax": _changed(mutations=[apply("  Object{")]),
    "unknown variable": _changed(mutations=[apply("Object{a: variables.none}")]),
    "params without a kind": _changed(mutations=[apply("Object{a: params.x}")]),
    "objects in variables": _changed(variables=[{"name": "v", "expression": "Object{}"}]),
    "escapeKey in conditions": _changed(
        matchConditions=[{"name": "c", "expression": "jsonpatch.escapeKey('a') == 'a'"}]
    ),
    "variables in conditions": _changed(
        variables=[{"name": "v", "expression": "true"}], matchConditions=[{"name": "c", "expression": "variables.v"}]
    ),
    "bad variable": _changed(variables=[{"name": "1x", "expression": ""}]),
    "bad param kind": _changed(paramKind={"apiVersion": "a/b/c", "kind": ""}),
    "mixed patch": _changed(mutations=[patch("object.x ? [JSONPatch{op: 'add'}] : [1]")]),
}
BAD_BINDINGS = {
    "nothing": {"metadata": {"name": "bad"}},
    "bad name": {"metadata": {"name": "bad"}, "spec": {"policyName": "A b"}},
    "bad param": {"metadata": {"name": "bad"}, "spec": {"policyName": "p", "paramRef": {}}},
    "deletes": {
        "metadata": {"name": "bad"},
        "spec": {"policyName": "p", "matchResources": {"resourceRules": [rule("configmaps", "", "DELETE")]}},
    },
    "actions": {"metadata": {"name": "bad"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}},
}

_OWN = ("uid", "creationTimestamp", "resourceVersion", "selfLink")


def cleaned(tree: Any) -> Any:
    """An answer without what differs from server to server."""
    if isinstance(tree, list):
        return [cleaned(item) for item in tree]
    if isinstance(tree, dict):
        made = {key: cleaned(value) for key, value in tree.items() if key not in (*_OWN, "time")}
        if isinstance(entries := made.get("managedFields"), list):
            entries.sort(key=lambda entry: entry["manager"])  # by time they may be in any order
        return made
    return re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID", tree) if isinstance(tree, str) else tree

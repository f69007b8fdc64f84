"""Small builders of policies, bindings and what they are about, for the scenarios of policies."""

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
IN_CONTAINERS = (
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
OF_PARAMS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
NO_PARAMS = {"matchConditions": [{"name": "c", "expression": "!object.metadata.name.startsWith('param')"}]}
TEAM = 'Object{metadata: Object.metadata{labels: {"team-" + params.metadata.name: string(params.data.team)}}}'


def value(text):
    return patch(f'[JSONPatch{{op: "add", path: "/data/x", value: {text}}}]')


def held(text):
    """A value that a widget takes as it is."""
    return policy("p", patch(f'[JSONPatch{{op: "add", path: "/spec/any", value: {{"x": {text}}}}}]'), match=CUSTOM)


def merged(text):
    return policy("p", apply(f"Object{{spec: Object.spec{{any: Object.spec.any{{x: {text}}}}}}}"), match=CUSTOM)


def appends(name, reinvocation, key, **more):
    """A policy that adds a letter to an annotation whenever it is invoked."""
    text = "has(object.metadata.annotations) && 'order' in object.metadata.annotations"
    before = f"({text} ? object.metadata.annotations.order : '')"
    return policy(
        name,
        apply(f'Object{{metadata: Object.metadata{{annotations: {{"order": {before} + "{key}"}}}}}}'),
        reinvocation=reinvocation,
        **more,
    )


def two(one, other, *, more=()):
    return [one, other, binding("b", "p"), binding("b2", "q"), *more]


BOUND = binding("b")

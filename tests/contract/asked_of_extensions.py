"""Requests to compare two servers with: definitions, policies, webhooks and pods' security, each wrong in its own way.

What a chance-made comparison found, once each. The order matters little: a namespace and a definition come first.
"""

from tests.contract.asked_in_sequence.definitions import DEFINITIONS, INTEGER, STRING, definition, version
from tests.contract.asked_of_kinds import ask

GROUP = "seq.example.com"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
_LABEL = "pod-security.kubernetes.io"
_NAMES = {"plural": "extras", "singular": "extra", "kind": "Extra", "listKind": "ExtraList"}
_SPEC = {"type": "object", "properties": {"n": {**INTEGER, "format": "int32"}, "x": STRING}}
EXTRAS = f"/apis/{GROUP}/v1/namespaces/extensions/extras"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "extensions"}})
    yield from _schemas()
    yield from _objects()
    yield from _webhooks()
    yield from _policies()
    yield from _pods()


def _defined(spec):
    schema = {"type": "object", "properties": {"spec": spec}}
    return definition("extras", names=_NAMES, versions=version(schema))


def _schemas():
    dry = f"{DEFINITIONS}?dryRun=All"
    values = [
        {"type": "array", "items": []}, {"type": "array", "items": 5}, {"type": "array", "items": [STRING]}, {"type": "array", "items": {"type": 5}},
        {"type": "array", "items": {"type": "string", "nonsense": 1}}, {"type": "object", "additionalProperties": 5}, {"type": "object", "properties": {"a": {"type": "array", "items": {"properties": {"b": 5}}}}},
        {"type": "object", "x-kubernetes-validations": 5}, {"type": "object", "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".nope"}]},
        {"type": "object", "properties": {"r": {**STRING, "$ref": "#/x"}}, "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".nope"}]},
        {**INTEGER, "format": "double", "default": -0.5}, {**INTEGER, "format": "int32", "default": True}, {"type": "number", "maximum": 1e20, "default": 1}, {**STRING, "format": "nonsense", "default": 5},
        {"type": "object", "maxProperties": -1, "default": {"a": 1}, "additionalProperties": INTEGER}, {"x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-validations": [{"rule": "true"}]},
    ]  # fmt: skip
    for value in values:
        yield ask("POST", dry, _defined(value))
    twice = [*version({"type": "object", "properties": {"spec": {"type": "number", "maximum": 1e20}}})] * 2
    yield ask("POST", dry, definition("extras", names=_NAMES, versions=twice))
    for subresources in ({"status": []}, {"status": [0.1]}, {"status": {"a": 1}}, {"status": 5}):
        found = version({"type": "object"})
        yield ask(
            "POST", dry, definition("extras", names=_NAMES, versions=[{**found[0], "subresources": subresources}])
        )
    for scope in ({}, 2.0, ["x"]):
        yield ask("POST", dry, definition("extras", names=_NAMES, versions=version({"type": "object"}), scope=scope))


def _objects():
    yield ask("POST", DEFINITIONS, _defined(_SPEC))
    yield ask("UNTIL", EXTRAS)
    extra = {"apiVersion": f"{GROUP}/v1", "kind": "Extra", "metadata": {"name": "e"}}
    for spec in ({"n": True}, {"n": {}}, {"n": "x"}, {"n": 1.5}, {"n": []}):
        yield ask("POST", f"{EXTRAS}?dryRun=All", {**extra, "spec": spec})
    odd = {**extra, "spec": {"n": 1, "odd": 1}}
    # What is sent is judged before anybody looks whether there is such an object, and in which version.
    for validation in ("Strict", "Warn", "Ignore"):
        yield ask("PUT", f"{EXTRAS}/e?fieldValidation={validation}", odd)
    yield ask("PUT", f"{EXTRAS}/e", {**extra, "metadata": {"name": "e", "labels": 5}})
    yield ask("POST", EXTRAS, extra)
    for validation in ("Strict", "Warn"):
        yield ask("PUT", f"{EXTRAS}/e?fieldValidation={validation}", odd)
    yield ask("PUT", "/api/v1/namespaces/extensions/configmaps/nobody?fieldValidation=Strict", {"metadata": {"name": "nobody"}, "odd": 1})  # fmt: skip
    yield ask("PUT", "/api/v1/namespaces/extensions/configmaps/nobody", {"metadata": {"name": "nobody"}, "data": 5})


def _hook(**changes):
    made = {"name": "w.example.com", "clientConfig": {"url": "https://a/b"}, "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [RULE]}  # fmt: skip
    return {"metadata": {"name": "x"}, "webhooks": [{**made, **changes}]}


def _webhooks():
    dry = f"{ADMISSION}/validatingwebhookconfigurations?dryRun=All"
    for service in ({"name": "", "namespace": "n"}, {"name": "s", "namespace": ""}, {}):
        yield ask("POST", dry, _hook(clientConfig={"service": service}))
    for url in ("%", "https://a?b=c", "https://u@a/", "https://a#f", "", ":x", "http://[::1", "https://a:b/", "https://a b/"):  # fmt: skip
        yield ask("POST", dry, _hook(clientConfig={"url": url}))
    for resources in (["pods", "*"], ["*", "pods"], ["*", "*"], ["pods/*", "pods/status"], ["*/*", "pods"]):
        yield ask("POST", dry, _hook(rules=[{**RULE, "resources": resources}]))
    for operations in (5, [5], [[]], [{}], ["CREATE", "nope"]):
        yield ask("POST", dry, _hook(rules=[{**RULE, "operations": operations}]))


def _policy(**changes):
    spec = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}], **changes}
    return {"metadata": {"name": "x"}, "spec": spec}


def _policies():
    dry = f"{ADMISSION}/validatingadmissionpolicies?dryRun=All"
    for validation in ({"expression": "true", "reason": ""}, {"expression": "variables.a == 1"}, {"expression": "true", "messageExpression": "variables.a"}):  # fmt: skip
        yield ask("POST", dry, _policy(validations=[validation]))
        yield ask("POST", dry, _policy(validations=[validation], variables=[{"name": "b", "expression": "1"}]))
    yield ask("POST", dry, _policy(matchConstraints={"resourceRules": [{**RULE, "operations": [True]}]}))
    bindings = f"{ADMISSION}/validatingadmissionpolicybindings?dryRun=All"
    for actions in ("Deny", [5], ["Deny", "Deny"], ["Deny", "Warn"], []):
        yield ask("POST", bindings, {"metadata": {"name": "x"}, "spec": {"policyName": "p", "validationActions": actions}})  # fmt: skip


def _pods():
    asked = [
        {}, {"seccompProfile": {"type": "Unconfined"}}, {"capabilities": {"add": ["CHOWN", "NET_RAW"]}}, {"runAsUser": 0}, {"seLinuxOptions": {"type": "container_engine_t"}},
    ]  # fmt: skip
    for at, pinned in enumerate(("v1.0", "v1.18", "v1.19", "v1.22", "v1.24", "v1.30", "latest")):
        labels = {f"{_LABEL}/enforce": "restricted", f"{_LABEL}/enforce-version": pinned}
        labels |= {f"{_LABEL}/warn": "baseline", f"{_LABEL}/warn-version": pinned}
        yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": f"pinned{at}", "labels": labels}})
        for context in asked:
            container = {"name": "c", "image": "i", "securityContext": context}
            sysctls = [{"name": "net.ipv4.tcp_rmem", "value": "1"}]
            notes = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"} if not context else {}
            made = {"metadata": {"name": "p", "annotations": notes}, "spec": {"containers": [container], "securityContext": {"sysctls": sysctls}}}  # fmt: skip
            yield ask("POST", f"/api/v1/namespaces/pinned{at}/pods?dryRun=All", made)

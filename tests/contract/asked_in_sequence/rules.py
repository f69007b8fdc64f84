"""Rules of custom resources in CEL: messages, places, reasons, transitions, costs, and rules that do not compile."""

from tests.contract.asked_in_sequence.definitions import DEFINITIONS, GROUP, INTEGER, STRING, definition, version
from tests.contract.asked_of_kinds import MERGE, ask

GADGETS = f"/apis/{GROUP}/v1/namespaces/ruled/gadgets"
RULES = [
    {"rule": "self.low <= self.high", "message": "low is above high"},
    {"rule": "self.low != 7", "messageExpression": "self.low > 8 ? 'more' : 'low is seven'", "fieldPath": ".low", "reason": "FieldValueForbidden"},
    {"rule": "self.high < 100", "messageExpression": "self.texts[5]", "message": "fallback", "reason": "FieldValueRequired"},
    {"rule": "self.fixed == oldSelf.fixed", "message": "fixed is immutable", "fieldPath": ".fixed"},
    {"rule": "!oldSelf.hasValue() || self.once == oldSelf.value().once", "optionalOldSelf": True, "reason": "FieldValueDuplicate"},
    {"rule": "self.texts.all(t, t.startsWith('x'))", "message": "texts begin with x", "fieldPath": ".texts"},
    {"rule": "!has(self.when) || timestamp(self.when) > timestamp('2020-01-01T00:00:00Z')"},
    {"rule": "self.low / (self.high - 50) < 1000", "message": "division"},
]  # fmt: skip
ITEM = {"type": "object", "required": ["k"], "properties": {"k": STRING, "n": {**INTEGER, "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "n only grows"}]}},
        "x-kubernetes-validations": [{"rule": "self.k != 'bad'", "message": "bad key", "fieldPath": ".k"}]}  # fmt: skip
SPEC = {
    "type": "object",
    "properties": {
        "low": {**INTEGER, "default": 1}, "high": {**INTEGER, "default": 2}, "fixed": {**STRING, "default": "f", "maxLength": 10}, "once": {**STRING, "default": "o", "maxLength": 10},
        "texts": {"type": "array", "items": {**STRING, "maxLength": 10}, "maxItems": 5, "default": []}, "when": {**STRING, "format": "date-time"},
        "rows": {"type": "array", "maxItems": 5, "items": ITEM, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
        "limits": {"type": "object", "maxProperties": 4, "additionalProperties": {**INTEGER, "x-kubernetes-validations": [{"rule": "self > 0"}]}},
    },
    "x-kubernetes-validations": RULES,
}  # fmt: skip
DEFAULT = {"low": 1, "high": 2, "fixed": "f", "once": "o", "texts": []}
NAMED = {"rule": "self.metadata.name != 'forbidden'", "message": "that name is not allowed"}


def schema(spec=SPEC, default=DEFAULT):
    properties = {"spec": {**spec, "default": default}}
    return {"type": "object", "properties": properties, "x-kubernetes-validations": [NAMED]}


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "ruled"}})
    yield from _uncompiled()
    names = {"plural": "gadgets", "kind": "Gadget"}
    yield ask("POST", DEFINITIONS, definition("gadgets", names=names, versions=version(schema(default={}))))
    yield ask("POST", DEFINITIONS, definition("gadgets", names=names, versions=version(schema())))
    yield ask("UNTIL", GADGETS)
    yield from _objects()


def _uncompiled():
    dry = f"{DEFINITIONS}?dryRun=All"
    for rule in ({"rule": ""}, {"rule": "self.nonsense"}, {"rule": "1 +"}, {"rule": "self.low"}, {"rule": "self.low == 'x'"}, {"rule": "true", "messageExpression": "5"}, {"rule": "true", "messageExpression": "self.x"}, {"rule": "true", "message": "a\nb"}, {"rule": "true", "message": " "}, {"rule": "true", "fieldPath": ".nonsense"}, {"rule": "true", "fieldPath": "low"},
                 {"rule": "true", "reason": "Nonsense"}, {"rule": "oldSelf.low == 1", "optionalOldSelf": True}, {"rule": "true", "optionalOldSelf": True}, {"rule": "true", "messageExpression": ""}, {"rule": "self.low == 1", "unknown": 1}, {"rule": "a\nb"}, {"rule": "x" * 50}, {"rule": "true", "message": "x" * 3000}, {"rule": "self.items.all(a, self.items.all(b, self.items.all(c, a == b || b == c)))"}):  # fmt: skip
        spec = {
            "type": "object",
            "properties": {"low": INTEGER, "items": {"type": "array", "items": STRING}},
            "x-kubernetes-validations": [rule],
        }
        yield ask("POST", dry, definition(versions=version({"type": "object", "properties": {"spec": spec}})))
    costly = {"rule": "true", "messageExpression": "'low is ' + string(self.low)"}
    told = {"type": "object", "properties": {"low": INTEGER}, "x-kubernetes-validations": [costly]}
    yield ask("POST", dry, definition(versions=version({"type": "object", "properties": {"spec": told}})))
    grows = {"rule": "self > oldSelf"}
    listed = {
        "type": "object",
        "properties": {"l": {"type": "array", "items": {**INTEGER, "x-kubernetes-validations": [grows]}}},
    }
    yield ask("POST", dry, definition(versions=version(listed)))
    wrong = {
        "type": "object",
        "properties": {
            "a": {
                **STRING,
                "x-kubernetes-validations": [
                    {"rule": "self.size() > 1 || self.matches('(')"},
                    {"rule": "self in ['a', 1]"},
                ],
            }
        },
    }
    yield ask("POST", dry, definition(versions=version(wrong)))
    default = {
        "type": "object",
        "properties": {
            "a": {**INTEGER, "default": 1, "x-kubernetes-validations": [{"rule": "self > 5", "message": "too small"}]}
        },
    }
    yield ask("POST", dry, definition(versions=version(default)))


def gadget(name="g", **spec):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec}


def _objects():
    yield ask("POST", GADGETS, gadget())
    yield ask("POST", GADGETS, gadget("rows", rows=[{"k": "a", "n": 1}, {"k": "b"}], limits={"x": 1}))
    for spec in ({"low": 5}, {"low": 7, "high": 8}, {"high": 100}, {"high": 100, "low": 200}, {"texts": ["x", "y"]}, {"when": "2019-01-01T00:00:00Z"}, {"when": "x"}, {"high": 50}, {"rows": [{"k": "bad"}]}, {"rows": [{"k": "a"}, {"k": "bad"}, {"n": 1}]}, {"limits": {"a": 0}}, {"limits": {"a": 0, "b.c": -1}}, {"low": "x"}, {"low": 7, "high": 3, "texts": ["q"]}):  # fmt: skip
        yield ask("POST", f"{GADGETS}?dryRun=All", gadget("x", **spec))
        yield ask("PUT", f"{GADGETS}/g?dryRun=All", gadget("g", **spec))
    yield ask("POST", f"{GADGETS}?dryRun=All", gadget("forbidden"))
    for name, spec in (("g", {"fixed": "other"}), ("g", {"once": "twice"}), ("g", {"fixed": "x", "once": "y", "low": 9}), ("rows", {"rows": [{"k": "a", "n": 0}]}), ("rows", {"rows": [{"k": "a", "n": 5}]}), ("rows", {"rows": [{"k": "c", "n": -9}]}), ("rows", {"limits": {"x": -1}})):  # fmt: skip
        yield ask("PATCH", f"{GADGETS}/{name}?dryRun=All", {"spec": spec}, type=MERGE)
    path = f"{DEFINITIONS}/gadgets.{GROUP}"
    stricter = {**SPEC, "properties": {**SPEC["properties"], "low": {**INTEGER, "minimum": 50}}}
    yield ask("PATCH", path, {"spec": {"versions": version(schema(stricter))}}, type=MERGE)
    yield ask("PATCH", f"{GADGETS}/g?dryRun=All", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)

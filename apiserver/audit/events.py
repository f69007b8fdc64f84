"""The audit events of one request: an `audit.k8s.io/v1` Event a stage. Source: apiserver/pkg/audit/request.go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import msgspec

from apimachinery import times, yaml_loader
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.audit.policy import RECEIVED, REQUEST, REQUEST_RESPONSE, Recording
from apiserver.call import Call, Response
from apiserver.request import User
from apiserver.storage.entry import PROTOBUF
from serving.https import raw_target

#: The levels that tell what was sent.
BODIES = (REQUEST, REQUEST_RESPONSE)
_NAMES = ("namespace", "name", "uid", "resourceVersion")
_STATUS = ("status", "message", "reason", "details", "code")
#: How a Status is known by its first bytes, in any form.
_A_STATUS, _HEAD = b"Status", 200
_YAML = "application/yaml"
_LONGEST_AGENT = 1024


@dataclass(slots=True)
class Audited:
    """One request, as far as it is recorded."""

    call: Call
    recording: Recording
    received: float
    #: The object that was sent, and what of its metadata the path does not say.
    sent: Json | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    has_seen: bool = False

    def witness(self, meta: Json, whole: Callable[[], Json]) -> None:
        """See the object that was sent, as it was decoded first. `whole` makes one that is kept, if it is needed."""
        if self.has_seen:
            return
        self.has_seen = True
        self.named = {name: meta[name] for name in _NAMES if meta.get(name)}
        if self.recording.level in BODIES:
            self.sent = self._without_managed_fields(protobuf.shaped(whole()))

    def event(self, stage: str, now: float, response: Response | None = None, status: Json | None = None) -> Json:
        """The event of a stage. `status` is the Status that the answer is, where it is none its code stands for it."""
        call, info = self.call, self.call.target
        event: Json = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self.recording.level,
            "auditID": call.id,
            "stage": stage,
            "requestURI": raw_target(call.scope),
            "verb": info.verb,
            "user": _user(call.impersonator or call.asker),
            "sourceIPs": _addresses(call),
            "userAgent": call.headers.get("user-agent", "")[:_LONGEST_AGENT],
        }
        if call.impersonator is not None:
            event["impersonatedUser"] = _user(call.asker)
        if info.is_resource:
            event["objectRef"] = _reference(call, self.named)
        answer = self._answer(response) if status is None else status
        if answer is not None and answer.get("kind") == "Status":
            said = {name: answer[name] for name in _STATUS if name in answer}
            event["responseStatus"] = {"metadata": {}, "code": response.status if response is not None else 500, **said}
        elif response is not None:
            event["responseStatus"] = {"metadata": {}, "code": response.status}
        self._add_bodies(event, answer)
        event["requestReceivedTimestamp"] = times.rfc3339_micro(self.received)
        event["stageTimestamp"] = times.rfc3339_micro(now)
        with_bodies = self.recording.level in BODIES
        if found := {**(call.whole_annotations if with_bodies else {}), **call.annotations}:
            event["annotations"] = found
        return event

    def _add_bodies(self, event: Json, answer: Json | None) -> None:
        if self.recording.level not in BODIES or not self.call.target.is_resource or event["stage"] == RECEIVED:
            return
        sent = self.sent if self.sent is not None else self._tree(self.call.received, "")
        if sent is not None:
            event["requestObject"] = sent
        if self.recording.level == REQUEST_RESPONSE and answer is not None:
            event["responseObject"] = answer

    def _answer(self, response: Response | None) -> Json | None:
        """The object that the answer is, as far as it is needed: whole, or if it is a Status. A proxy's may be none."""
        if response is None or not response.body or not self.call.target.is_resource:
            return None
        if self.recording.level != REQUEST_RESPONSE and _A_STATUS not in response.body[:_HEAD]:
            return None
        tree = self._tree(response.body, response.content_type)
        return tree if isinstance(tree, dict) else None

    def _tree(self, body: bytes, content_type: str) -> Any:
        """A body as JSON shows it, which a patch is, too; None for what is none."""
        try:
            if body.startswith(PROTOBUF):
                tree: Any = protobuf.decode(body)
            elif content_type.startswith(_YAML):
                tree, _ = yaml_loader.load_first(body)
            else:
                tree = msgspec.json.decode(body)
        except (ValueError, yaml_loader.YamlError):
            return None
        return self._without_managed_fields(tree)

    def _without_managed_fields(self, tree: Any) -> Any:
        if self.recording.without_managed_fields and isinstance(tree, dict):
            for each in (tree, *(item for item in tree.get("items") or () if isinstance(item, dict))):
                if isinstance(each.get("metadata"), dict):
                    each["metadata"].pop("managedFields", None)
        return tree


def _user(user: User) -> Json:
    found: Json = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {name: list(values) for name, values in user.extra.items()}
    return found


def _addresses(call: Call) -> list[str]:
    client = call.scope.get("client")
    forwarded = [part.strip() for part in call.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    real = call.headers.get("x-real-ip", "")
    found = [address for address in (*forwarded, *([] if real in forwarded else [real])) if _is_address(address)]
    return [*found, *([str(client[0])] if client and found[-1:] != [client[0]] else [])]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _reference(call: Call, named: Mapping[str, str]) -> Json:
    info = call.target
    names = {
        "resource": info.plural,
        "namespace": info.namespace or named.get("namespace"),
        "name": info.name or named.get("name"),
        "uid": named.get("uid"),
        "apiGroup": info.group,
        "apiVersion": info.version,
        "resourceVersion": named.get("resourceVersion"),
        "subresource": info.subresource,
    }
    return {name: value for name, value in names.items() if value}

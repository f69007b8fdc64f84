"""What a write through an object, or through one of its subresources, cannot set: nobody comes to own it that way.

The rule is that a spec write cannot set the status and a status write cannot set the spec; the rows are the kinds that
upstream treats otherwise. Source: GetResetFields in pkg/registry/*/*/strategy.go.
"""

from collections.abc import Mapping
from functools import lru_cache

from apimachinery import kinds as k
from apimachinery.apply import fieldset
from apimachinery.apply.fieldset import Fields
from apimachinery.kinds import Kind

_Paths = tuple[tuple[str, ...], ...]
_STATUS: _Paths = (("status",),)
_SPEC: _Paths = (("spec",),)
_SPEC_AND_META: _Paths = (("spec",), ("metadata",))

#: Where the rule does not hold: kind -> subresource ("" for the object) -> paths.
_ROWS: Mapping[Kind, Mapping[str, _Paths]] = {
    k.PODS: {"status": (*_SPEC, ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences"))},
    k.NAMESPACES: {"finalize": _STATUS},
    k.DEPLOYMENTS: {"status": (*_SPEC, ("metadata", "labels"))},
    k.CERTIFICATESIGNINGREQUESTS: {
        "": (*_SPEC, *_STATUS),
        "status": (*_SPEC, ("status", "conditions")),
        "approval": (*_SPEC, ("status", "certificate")),
    },
    k.SERVICECIDRS: {"": (), "status": ()},  # upstream names a group there that does not exist
    k.VALIDATINGADMISSIONPOLICIES: {"status": _SPEC_AND_META},
    k.FLOWSCHEMAS: {"status": _SPEC_AND_META},
    k.PRIORITYLEVELCONFIGURATIONS: {"status": _SPEC_AND_META},
    k.VOLUMEATTACHMENTS: {"status": _SPEC_AND_META},
    k.CUSTOMRESOURCEDEFINITIONS: {"status": _SPEC_AND_META},
    k.APISERVICES: {"status": _SPEC_AND_META},
}


@lru_cache(maxsize=1024)
def reset_fields(kind: Kind, subresource: str) -> Fields:
    """The set of fields that are reset by a write of a stored kind."""
    rows = _ROWS.get(kind, {})
    if subresource in rows:
        return fieldset.of(rows[subresource])
    if "status" not in kind.subresources:
        return fieldset.EMPTY
    return fieldset.of({"": _STATUS, "status": _SPEC}.get(subresource, ()))

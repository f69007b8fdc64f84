"""Conversion between the versions of one stored resource: pure functions from tree to tree, chosen by a table.

Nothing is lost on the way there and back: what an older version has no field for travels in annotations, as upstream
does it. Three pairs exist in v1.34: HorizontalPodAutoscaler autoscaling/v1 and v2 (see `autoscalers`), Event of the
core group and of events.k8s.io, which differ in the names of their fields, and the two versions of mutating policies,
which do not differ.
Source: pkg/apis/{autoscaling,events}/v1/conversion.go.
"""

from collections.abc import Callable, Mapping

from apimachinery.autoscalers import to_v1, to_v2
from apimachinery.kinds import Kind
from apimachinery.types import Json

Conversion = Callable[[Json], Json]

#: core/v1 Event -> events.k8s.io/v1 Event
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def _renaming(fields: Mapping[str, str]) -> Conversion:
    return lambda tree: {fields.get(key, key): value for key, value in tree.items()}


#: (kind, from, to) -> the change; apiVersion is set by `convert`.
_CONVERSIONS: dict[tuple[str, str, str], Conversion] = {
    ("Event", "v1", "events.k8s.io/v1"): _renaming(_EVENT_FIELDS),
    ("Event", "events.k8s.io/v1", "v1"): _renaming({new: old for old, new in _EVENT_FIELDS.items()}),
    ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2"): to_v2,
    ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1"): to_v1,
    **{
        (kind, f"admissionregistration.k8s.io/{one}", f"admissionregistration.k8s.io/{other}"): dict
        for kind in ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
        for one, other in (("v1beta1", "v1alpha1"), ("v1alpha1", "v1beta1"))
    },
}


def convert(tree: Json, to: Kind) -> Json:
    """The object in the version of `to`; the same tree when it is of that version already."""
    version = tree["apiVersion"]
    if version == to.api_version:
        return tree
    converted = _CONVERSIONS[tree["kind"], version, to.api_version](tree)
    return {**converted, "apiVersion": to.api_version}

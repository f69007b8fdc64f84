"""An attribute class that is to go stays as long as a claim or a volume names it."""

import pytest

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, VOLUMEATTRIBUTESCLASSES
from apimachinery.times import rfc3339
from client.plan import Key
from controllers.volume_protection import CLASS_FINALIZER, AttributesClassProtection
from tests.unit.controllers_view import NOW, FakeView, meta

KEEPER = AttributesClassProtection()
KEY = Key("", "gold")


def finalizers_after(item, claim=None, volume=None):
    """The finalizers that the plan leaves the class with; None without a write."""
    objects = {VOLUMEATTRIBUTESCLASSES: [item]}
    objects[PERSISTENTVOLUMECLAIMS] = [{"metadata": meta("c"), **claim}] if claim else []
    objects[PERSISTENTVOLUMES] = [{"metadata": meta("v"), **volume}] if volume else []
    writes = KEEPER.plan(KEY, FakeView(objects), NOW).writes
    return writes[0].body["metadata"]["finalizers"] if writes else "as before"


def marked():
    return {"metadata": meta("gold", "", deletionTimestamp=rfc3339(NOW), finalizers=[CLASS_FINALIZER])}


def test_a_class_without_the_finalizer_gets_it():
    assert finalizers_after({"metadata": meta("gold", "")}) == [CLASS_FINALIZER]


def test_a_class_that_nothing_names_goes():
    assert finalizers_after(marked(), {"spec": {"volumeAttributesClassName": "silver"}}) is None


@pytest.mark.parametrize(
    "users",
    [
        {"claim": {"spec": {"volumeAttributesClassName": "gold"}}},
        {"claim": {"status": {"currentVolumeAttributesClassName": "gold"}}},
        {"claim": {"status": {"modifyVolumeStatus": {"targetVolumeAttributesClassName": "gold", "status": "Pending"}}}},
        {"volume": {"spec": {"volumeAttributesClassName": "gold"}}},
    ],
)
def test_a_class_in_use_stays(users):
    assert finalizers_after(marked(), **users) == "as before"

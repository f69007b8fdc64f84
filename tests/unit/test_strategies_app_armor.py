"""Annotations of AppArmor become fields, and who writes them is told."""

import pytest

from apiserver.strategies.pod import app_armor

KEY = f"{app_armor.PREFIX}c"
WARNING = f'metadata.annotations[{KEY}]: deprecated since v1.30; use the "appArmorProfile" field instead'
UNCONFINED = {"type": "Unconfined"}


def synced(text, context=None, **spec):
    container = {"name": "c"} | ({"securityContext": context} if context else {})
    pod = {"metadata": {"annotations": {KEY: text}}, "spec": {"containers": [container], **spec}}
    warnings = []
    app_armor.sync(pod, warnings.append)
    return container.get("securityContext"), warnings


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("runtime/default", {"type": "RuntimeDefault"}),
        ("unconfined", UNCONFINED),
        ("localhost/mine", {"type": "Localhost", "localhostProfile": "mine"}),
    ],
)
def test_an_annotation_becomes_the_field(text, profile):
    assert synced(text) == ({"appArmorProfile": profile}, [WARNING])


@pytest.mark.parametrize("text", ["nonsense", "localhost/", "localhost/ padded"])
def test_an_annotation_that_means_nothing_is_only_warned_of(text):
    assert synced(text) == (None, [WARNING])


def test_a_field_that_is_there_stays():
    there = {"appArmorProfile": {"type": "RuntimeDefault"}}
    assert synced("unconfined", there) == (there, [])


def test_what_the_whole_pod_has_is_not_repeated():
    assert synced("unconfined", securityContext={"appArmorProfile": UNCONFINED}) == (None, [])


def test_windows_has_no_app_armor():
    assert synced("unconfined", os={"name": "windows"}) == (None, [])

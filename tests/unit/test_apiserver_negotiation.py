"""Accept and Content-Type."""

import pytest

from apimachinery.errors import ApiError
from apiserver.negotiation import Accepted, accepted, body_type, patch_type

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Accepted()),
        ("*/*", Accepted()),
        ("application/json", Accepted()),
        ("application/yaml", Accepted("application/yaml")),
        ("application/vnd.kubernetes.protobuf,application/json", Accepted()),
        ("application/vnd.kubernetes.protobuf, */*", Accepted()),
        (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Accepted(transform="Table")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Accepted()),
        ("application/json;as=Nonsense;v=v1;g=meta.k8s.io,application/json", Accepted()),
        ("application/yaml;q=0.1,application/json;q=0.9", Accepted()),
    ],
)
def test_what_fits_first(header, expected):
    assert accepted(header) == expected


@pytest.mark.parametrize("header", ["text/html", "application/cbor", "application/json;as=Nonsense;v=v1;g=meta.k8s.io"])
def test_nothing_fits(header):
    with pytest.raises(ApiError) as refused:
        accepted(header)
    text = "only the following media types are accepted: application/json, application/yaml"
    assert (refused.value.code, refused.value.message) == (406, text)


def test_tables_say_what_they_are():
    assert accepted(TABLE).content_type == "application/json;as=Table;g=meta.k8s.io;v=v1"


def test_bodies():
    assert body_type("") == body_type("application/json; charset=utf-8") == "application/json"
    with pytest.raises(ApiError) as refused:
        body_type("text/plain")
    assert refused.value.code == 415


def test_patches_name_what_is_served():
    with pytest.raises(ApiError) as refused:
        patch_type("application/json", ("a/b", "c/d"))
    assert refused.value.message.endswith("accepted media types include: a/b, c/d")

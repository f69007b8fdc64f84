"""Accept and Content-Type."""

import pytest

from apimachinery.errors import ApiError
from apiserver.negotiation import Accepted, accepted, accepted_for_errors, body_type, patch_type

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


PARTIAL = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PROTOBUF = Accepted("application/vnd.kubernetes.protobuf")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Accepted()),
        ("*/*", Accepted()),
        ("application/*,*/*;q=0.1", Accepted()),  # upstream's router passes it for the second alone
        ("application/json", Accepted()),
        ("application/yaml", Accepted("application/yaml")),
        ("application/json;pretty=1", Accepted(pretty=True)),
        ("application/vnd.kubernetes.protobuf", PROTOBUF),
        ("application/vnd.kubernetes.protobuf;stream=watch", PROTOBUF),
        ("application/vnd.kubernetes.protobuf,application/json", PROTOBUF),
        ("application/json;q=0.5,application/vnd.kubernetes.protobuf", PROTOBUF),
        ("*/*, application/vnd.kubernetes.protobuf", PROTOBUF),
        ("application/cbor, application/vnd.kubernetes.protobuf", PROTOBUF),
        ("application/json;stream=other, application/vnd.kubernetes.protobuf", PROTOBUF),
        (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Accepted(transform="Table")),
        (TABLE.replace("v1", "v1beta1"), Accepted(transform="Table", version="v1beta1")),
        ("application/json;as=Nonsense;v=v1;g=meta.k8s.io,application/json", Accepted()),
        ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", Accepted()),
        (f"{PARTIAL},application/json", Accepted(PROTOBUF.media_type, "PartialObjectMetadata")),
        ("application/yaml;q=0.1,application/json;q=0.9", Accepted()),
    ],
)
def test_what_fits_first(header, expected):
    assert accepted(header) == expected


def test_custom_resources_are_never_protobuf_but_their_metadata_is():
    assert accepted("application/vnd.kubernetes.protobuf,application/json", custom=True) == Accepted()
    assert accepted(PARTIAL, custom=True).media_type == PROTOBUF.media_type
    with pytest.raises(ApiError) as refused:
        accepted("application/vnd.kubernetes.protobuf", custom=True)
    types = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    assert (refused.value.code, refused.value.message) == (
        406,
        f"only the following media types are accepted: {types}",
    )


@pytest.mark.parametrize("header", ["text/html", "application/cbor"])
def test_nothing_fits(header):
    with pytest.raises(ApiError) as refused:
        accepted(header)
    assert refused.value.code == 406
    assert refused.value.message.startswith("406: Not Acceptable\n\nAvailable representations: application/json, app")


def test_an_unknown_transformation_fits_nothing():
    with pytest.raises(ApiError, match="only the following media types are accepted: application/json, "):
        accepted("application/json;as=Nonsense;v=v1;g=meta.k8s.io")


def test_errors_are_never_transformed():
    assert accepted_for_errors(f"{TABLE},application/yaml") == Accepted("application/yaml")
    assert accepted_for_errors(f"{PARTIAL},application/vnd.kubernetes.protobuf") == PROTOBUF
    assert accepted_for_errors(TABLE) is None


def test_bodies():
    assert body_type("") == body_type("application/json; charset=utf-8") == "application/json"
    with pytest.raises(ApiError) as refused:
        body_type("text/plain")
    assert refused.value.code == 415


def test_patches_name_what_is_served():
    with pytest.raises(ApiError, match="415: Unsupported Media Type"):
        patch_type("application/json", ("a/b", "c/d"))
    with pytest.raises(ApiError) as refused:
        patch_type("application/json", ("a/b", "application/strategic-merge-patch+json", "c/d"), custom=True)
    assert refused.value.message.endswith("accepted media types include: a/b, c/d")

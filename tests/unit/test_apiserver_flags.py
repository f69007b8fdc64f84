"""What flags of `pykube-apiserver` come to where they look at one another, or at the machine."""

import ipaddress

import pytest

from apiserver.main import _address_of, _lets_anonymous


@pytest.mark.parametrize(
    ("modes", "wanted", "found"),
    [
        (("Node", "RBAC"), "true", True),
        (("Node", "RBAC"), "false", False),
        (("RBAC", "AlwaysAllow"), "true", False),
    ],
)
def test_anonymous_is_nobody_where_everybody_may_do_everything(modes, wanted, found):
    assert _lets_anonymous(modes, wanted) is found


def test_others_do_not_reach_a_server_at_its_loopback_address():
    assert _address_of("192.0.2.7") == "192.0.2.7"
    for bind in ("", "0.0.0.0", "127.0.0.1", "::"):
        assert _address_of(bind) == _address_of("0.0.0.0")
        assert not ipaddress.ip_address(_address_of(bind)).is_unspecified

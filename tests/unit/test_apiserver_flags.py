"""What flags of `pykube-apiserver` come to where they look at one another, or at the machine."""

import ipaddress

import pytest
import typer

from apiserver.main import _address_of, _lets_anonymous, _seconds, _static_tokens


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


def test_an_address_to_listen_on_is_no_name():
    with pytest.raises(typer.BadParameter, match="localhost is no IP address"):
        _address_of("localhost")


def test_times_are_written_as_go_writes_them_or_as_seconds():
    texts = ("0", "2.5", "5m0s", "1h1.5s", "200ms", "3us")
    assert [_seconds(text) for text in texts] == [0, 2.5, 300, 3601.5, 0.2, 3e-6]
    for text in ("", "5 m", "m", "-1s", "1d"):
        with pytest.raises(typer.BadParameter):
            _seconds(text)


def test_a_file_of_tokens_that_cannot_be_read_is_told_in_words(tmp_path):
    (tmp_path / "tokens").write_bytes(b"\xff,jane,1")
    for name in ("tokens", "missing"):
        with pytest.raises(typer.BadParameter):
            _static_tokens(str(tmp_path / name))

"""What exec, attach and port-forward say on the wire: exit codes, protocols, terminal sizes, ports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from serving.channels import Wanted, exit_code, exit_status, failure, negotiate, success
from serving.portforward import port_number
from serving.resize import ResizeParser, resize_document


@pytest.mark.parametrize("code", [0, 1, 126, 255])
def test_exit_codes_survive_the_status(code):
    assert exit_code(exit_status(code)) == code


def test_exit_status_is_what_clients_parse():
    status = exit_status(3, "error executing command [false], exit code 3")
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert (
        status["message"] == "command terminated with non-zero exit code: error executing command [false], exit code 3"
    )
    assert success() == {"metadata": {}, "status": "Success"}


def test_a_run_that_never_began_has_no_exit_code():
    status = failure(OSError("no such file"), "executing command in container")
    assert exit_code(status) is None
    assert status["message"] == "Internal error occurred: error executing command in container: no such file"
    assert status["reason"] == "InternalError"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["v5.channel.k8s.io", "v4.channel.k8s.io"], "v4.channel.k8s.io"),
        (["channel.k8s.io"], "channel.k8s.io"),
        ([], ""),
    ],
)
def test_negotiation_takes_the_clients_first_that_we_have(offered, chosen):
    assert negotiate(offered, ("v4.channel.k8s.io", "channel.k8s.io")) == chosen


def test_negotiation_without_common_ground_is_forbidden():
    with pytest.raises(ApiError, match=r"client supports \[v9\], server accepts \[v4, v3\]") as refusal:
        negotiate(["v9"], ("v4", "v3", ""))
    assert refusal.value.code == 403


def test_streams_that_go_together():
    assert Wanted(stdin=True, stderr=True, tty=True).checked() == Wanted(stdin=True, tty=True)
    with pytest.raises(ApiError, match="you must specify at least 1 of stdin, stdout, stderr"):
        Wanted(tty=True).checked()


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=5), st.integers(1, 7))
def test_sizes_arrive_whatever_the_pieces(sizes, piece):
    raw = b"".join(resize_document(*size) for size in sizes)
    parser = ResizeParser()
    assert [size for at in range(0, len(raw), piece) for size in parser.feed(raw[at : at + piece])] == sizes


def test_nonsense_on_the_resize_channel_is_dropped():
    parser = ResizeParser()
    assert list(parser.feed(b"garbage")) == []
    assert list(parser.feed(b'{"Width":1,"Height":2}')) == [(1, 2)]


@pytest.mark.parametrize("text", ["0", "65536", "x", "", "-1", "²"])
def test_bad_ports_are_refused(text):
    with pytest.raises(ApiError):
        port_number(text)

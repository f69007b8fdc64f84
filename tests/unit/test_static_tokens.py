"""--token-auth-file: which lines name users, and what cannot be such a file."""

import pytest

from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.credentials import Refused
from apiserver.authentication.static_tokens import BadTokenFile, parse
from apiserver.request import User
from tests.unit.objects import Objects


def test_a_line_is_a_user():
    users, warnings = parse('a,admin,,"system:masters,ops"\n\nb,bob,7\n', "/f")
    assert users == {"a": User("admin", ("system:masters", "ops")), "b": User("bob", (), "7")}
    assert warnings == ()


def test_odd_lines_are_told_of():
    users, warnings = parse(",nobody,1\na,one,1\na,two,2\n", "/f")
    assert users == {"a": User("two", (), "2")}
    assert warnings == (
        "empty token has been found in token file '/f', record number '1'",
        "duplicate token has been found in token file '/f', record number '3'",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "token file '/f' must have at least 3 columns (token, user name, user uid), found 2"),
        ('a,b,"c\n', "token file '/f': unexpected end of data"),
    ],
)
def test_no_token_file(text, said):
    with pytest.raises(BadTokenFile) as refused:
        parse(text, "/f")
    assert str(refused.value) == said


def test_the_authenticator_asks_them_first():
    authenticator = Authenticator(lookup=Objects(), now=lambda: 0.0, static_tokens={"a": User("admin")})
    assert authenticator.verify("a").user == User("admin")
    with pytest.raises(Refused):
        authenticator.verify("b")


def test_they_are_for_this_server_alone():
    known = {"a": User("admin")}
    authenticator = Authenticator(lookup=Objects(), now=lambda: 0.0, static_tokens=known, audiences=("here", "near"))
    assert authenticator.verify("a").audiences == ("here", "near")
    assert authenticator.verify("a", ["far", "near"]).audiences == ("near",)
    with pytest.raises(Refused):
        authenticator.verify("a", ["far"])

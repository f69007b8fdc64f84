"""URLs as Go's net/url judges them: what is refused, in which words, and the parts of what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import go_urls
from apimachinery.go_urls import BadUrl


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty url"),
        ("%", "invalid URI for request"),
        ("a\\d", "invalid URI for request"),
        (":x", "missing protocol scheme"),
        ("http://a:b/", 'invalid port ":b" after host'),
        ("http://[::1", "missing ']' in host"),
        ("http://a b/", 'invalid character " " in host name'),
        ("http://a/%zz", 'invalid URL escape "%zz"'),
        ("http://a%41/", 'invalid URL escape "%41"'),
        ("http://u[@a/", "net/url: invalid userinfo"),
        ("/\n", "net/url: invalid control character in URL"),
    ],
)
def test_what_a_request_cannot_ask_for(text, why):
    with pytest.raises(BadUrl) as found:
        go_urls.parse_request_uri(text)
    assert str(found.value) == f"parse {go_urls.go_quoted(text)}: {why}"


def test_a_reference_may_be_relative_but_for_a_colon():
    assert go_urls.parse("a/b#c").fragment == "c"
    with pytest.raises(BadUrl, match="first path segment in URL cannot contain colon"):
        go_urls.parse("2020-01-01T00:00/x")


def test_the_parts():
    found = go_urls.parse_request_uri("https://user@example.com:80/p%20a/b c?q=1&r=2&q=3&;bad")
    assert (found.scheme, found.host, found.hostname(), found.port()) == (
        "https",
        "example.com:80",
        "example.com",
        "80",
    )
    assert found.escaped_path() == "/p%20a/b%20c"
    assert found.values() == {"q": ["1", "3"], "r": ["2"]}
    assert go_urls.parse_request_uri("http://[::1]:8080/").hostname() == "::1"


@given(st.text(alphabet="ab:/?#[]@%2 éz.", max_size=20))
def test_any_text_is_a_url_or_refused(text):
    try:
        found = go_urls.parse(text)
    except BadUrl:
        return
    assert found.escaped_path().isascii()
    found.values()

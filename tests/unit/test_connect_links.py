"""Links in pages that come through the API server's proxy lead through it again."""

import pytest

from apiserver.connect.links import link_rewriter, page

PREFIX = "/api/v1/namespaces/n/pods/p/proxy"
rewrite = link_rewriter("10.0.0.1:80", "localhost:8001", PREFIX)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/", f"{PREFIX}/"),
        ("/a", f"{PREFIX}/a"),
        ("/a/", f"{PREFIX}/a/"),
        ("/a?x=1#y", f"{PREFIX}/a?x=1#y"),
        ("a", "a"),
        ("#top", "#top"),
        ("", ""),
        ("http://10.0.0.1:80/a", f"{PREFIX}/a"),
        ("http://localhost:8001/a", f"http://localhost:8001{PREFIX}/a"),
        ("http://example.com/a", "http://example.com/a"),
        ("mailto:a@b", "mailto:a@b"),
        (f"{PREFIX}/a", f"{PREFIX}/a"),
        ("http://[", "http://["),
    ],
)
def test_urls(url, shown):
    assert rewrite(url) == shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<a href='/x'>\n<A\n HREF=/y b>", f'<a href="{PREFIX}/x">\n<a href="{PREFIX}/y" b>'),
        ('<script>"<a href=/x>"</script><link href=/c />', f'<script>"<a href=/x>"</script><link href="{PREFIX}/c"/>'),
        ("<!-- <a href=/x> --><a title=/x>", "<!-- <a href=/x> --><a title=/x>"),
        ('<a href="/x?a=&quot;">', f'<a href="{PREFIX}/x?a=&quot;">'),
        ("<a href=", "<a href="),
        ("kein HTML & <", "kein HTML & <"),
    ],
)
def test_pages(body, shown):
    assert page(body.encode(), "", rewrite) == shown.encode()


def test_an_encoding_that_is_not_known_or_broken_is_left_alone():
    assert page(b"x", "br", rewrite) is None
    assert page(b"x", "gzip", rewrite) is None

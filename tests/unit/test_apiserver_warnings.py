"""Warning headers: quoting, what cannot be one, and how much of them is sent."""

from apiserver.warning_headers import headers


def test_texts_are_quoted():
    assert headers(['a "b" \\ c', "é"]) == [
        (b"warning", b'299 - "a \\"b\\" \\\\ c"'),
        (b"warning", '299 - "é"'.encode()),
    ]


def test_what_has_control_characters_is_not_sent():
    assert headers(["a\nb", "", "c\x7f", "d"]) == [(b"warning", b'299 - "d"')]


def test_one_long_text_is_sent_whole():
    assert len(headers(["a" * 4096])[0][1]) == 4096 + len('299 - ""')


def test_too_much_is_cut_short():
    found = [value for _, value in headers([letter * 1000 for letter in "abcdefghijklmnopqrstuvwxyz"])]
    assert found[0] == b'299 - "' + b"a" * 256 + b'"'
    assert len(found) == 4096 // 256

"""Go's durations as text."""

import pytest

from apimachinery.durations import BadDuration, parse


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("5s", 5_000_000_000),
        ("-1.5h", -5_400_000_000_000),
        ("+2m3s", 123_000_000_000),
        (".5ms", 500_000),
        ("1\u00b5s", 1_000),
        ("0.1234567890123456789012s", 123_456_789),
    ],
)
def test_what_is_a_duration(text, nanoseconds):
    assert parse(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'time: invalid duration ""'),
        ("invalid", 'time: invalid duration "invalid"'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_what_is_none(text, said):
    with pytest.raises(BadDuration) as refused:
        parse(text)
    assert str(refused.value) == said

"""Times on the wire; the messages are those of Go's time.Parse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2024-01-01T00:00:00Z", 1704067200.0),
        ("2024-01-01T02:00:00+02:00", 1704067200.0),
        ("2023-12-31T19:00:00.25-05:00", 1704067200.25),
    ],
)
def test_parse(text, seconds):
    assert times.parse(text) == seconds


def test_format():
    assert times.rfc3339(1704067200.9) == "2024-01-01T00:00:00Z"
    assert times.rfc3339_micro(1704067200.123456) == "2024-01-01T00:00:00.123456Z"


def test_normal_forms():
    assert times.normal("2024-01-01T02:00:00.9+02:00") == "2024-01-01T00:00:00Z"
    assert times.normal("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00Z"
    assert times.normal_micro("2024-01-01T00:00:00.000001Z") == "2024-01-01T00:00:00.000001Z"


LAYOUT = '"2006-01-02T15:04:05Z07:00"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f'parsing time "" as {LAYOUT}: cannot parse "" as "2006"'),
        ("x", f'parsing time "x" as {LAYOUT}: cannot parse "x" as "2006"'),
        ("2024-01-01", f'parsing time "2024-01-01" as {LAYOUT}: cannot parse "" as "T"'),
        ("2024-01-01T00:00:00", f'parsing time "2024-01-01T00:00:00" as {LAYOUT}: cannot parse "" as "Z07:00"'),
        ("2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'),
        ("2024-02-30T00:00:00Z", 'parsing time "2024-02-30T00:00:00Z": day out of range'),
        ("2024-01-01T25:00:00Z", 'parsing time "2024-01-01T25:00:00Z": hour out of range'),
        ("2024-01-01T00:00:00Zz", 'parsing time "2024-01-01T00:00:00Zz": extra text: "z"'),
        ('a"b', f'parsing time "a\\"b" as {LAYOUT}: cannot parse "a\\"b" as "2006"'),
    ],
)
def test_refused_in_gos_words(text, message):
    with pytest.raises(ValueError) as caught:
        times.normal(text)
    assert str(caught.value) == message


def test_micro_times_have_six_digits():
    with pytest.raises(ValueError, match=r'cannot parse "Z" as "\.000000"'):
        times.normal_micro("2024-01-01T00:00:00Z")


@given(st.integers(0, 253402300799))
def test_seconds_survive_the_text(seconds):
    assert times.parse(times.rfc3339(seconds)) == seconds
    assert times.normal(times.rfc3339(seconds)) == times.rfc3339(seconds)

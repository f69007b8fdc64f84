"""Quantities: the expected texts were printed by upstream's resource.ParseQuantity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import quantity
from apimachinery.quantity import BINARY_SI, DECIMAL_EXPONENT, DECIMAL_SI, Quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("0Ki", "0"),
        ("+", "0"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1.500", "1.500"),  # upstream takes it for canonical
        ("100000", "100k"),
        ("1024Mi", "1Gi"),
        ("1500Mi", "1500Mi"),
        ("1.5Gi", "1536Mi"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        ("9Ei", "9223372036854775807"),
        ("-8Ki", "-8Ki"),
        ("12e6", "12e6"),
        ("12E6", "12E6"),
        ("1200e3", "1200e3"),
        ("100e-2", "1"),
        ("10e2", "1e3"),
        ("1e-10", "1e-9"),
        ("1.1n", "2n"),
        ("-1.1n", "-2n"),
        ("1000E", "1e21"),
        ("123456789012345678901234567890n", "123456789012345678901234567890n"),
        (2, "2"),
        (0.1, "100m"),
        (" 1Gi ", "1Gi"),
    ],
)
def test_canonical_text(text, expected):
    assert quantity.canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", quantity.FORMAT_WRONG),
        ("abc", quantity.FORMAT_WRONG),
        ("1..2", quantity.FORMAT_WRONG),
        ("1 Gi", quantity.FORMAT_WRONG),
        ("Ei", quantity.NUMERIC_WRONG),
        ("1K", quantity.SUFFIX_WRONG),
        ("1e", quantity.SUFFIX_WRONG),
        ("1e99999", quantity.SUFFIX_WRONG),
        ("1e999999999999999999999999", quantity.SUFFIX_WRONG),
        ("1k5", quantity.SUFFIX_WRONG),
    ],
)
def test_refused_with_upstreams_text(text, message):
    with pytest.raises(ValueError) as caught:
        quantity.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "value", "milli"), [("1500m", 2, 1500), ("-1500m", -2, -1500), ("1Ki", 1024, 1024000), ("1u", 1, 1)]
)
def test_values_round_away_from_zero(text, value, milli):
    assert (quantity.parse(text).value(), quantity.parse(text).milli()) == (value, milli)


def test_sums_keep_the_first_notation_that_counts():
    assert str(quantity.parse("1Gi") + quantity.parse("1024")) == "1048577Ki"
    assert str(quantity.ZERO + quantity.parse("2Ki")) == "2Ki"
    assert str(quantity.ZERO - quantity.parse("2Ki")) == "-2Ki"
    assert str(-quantity.parse("3Mi")) == "-3Mi"
    assert str(quantity.parse("1Gi") - quantity.parse("1m")) == "1073741823999m"


def test_built_from_numbers():
    assert str(quantity.from_milli(1500)) == "1500m"
    assert str(quantity.from_int(2048, BINARY_SI)) == "2Ki"
    assert not quantity.ZERO
    assert quantity.parse("1") == quantity.parse("1000m")
    assert quantity.parse("1") != 1
    assert len({quantity.parse("1"), quantity.parse("1000m")}) == 1
    assert quantity.parse("1") < quantity.parse("1001m") >= quantity.parse("1")


QUANTITIES = st.builds(
    Quantity, st.integers(-(10**24), 10**24), st.sampled_from((BINARY_SI, DECIMAL_SI, DECIMAL_EXPONENT))
)


@given(QUANTITIES)
def test_text_means_the_same_amount_and_is_canonical(value):
    assert quantity.parse(str(value)) == value or abs(value.nanos) >= 2**63
    text = str(value)
    is_a_binary_number_without_a_suffix = value.format == BINARY_SI and text[-1].isdigit()  # read as a decimal one
    assert is_a_binary_number_without_a_suffix or quantity.canonical(text) == text


@given(QUANTITIES, QUANTITIES)
def test_arithmetic_is_exact(left, right):
    assert left + right == right + left
    assert (left + right) - right == left
    assert (left < right) == (str(left - right).startswith("-"))

"""YAML as goyaml writes it: which texts are quoted, blocks, the order of keys. The expected texts are upstream's answers."""

import pytest

from apimachinery.yaml_writer import dumped, ordered


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3202", '"3202"'),
        ("true", '"true"'),
        ("y", '"y"'),
        ("", '""'),
        ("~", '"~"'),
        ("1:30", '"1:30"'),
        ("0x1f", '"0x1f"'),
        ("1e3", '"1e3"'),
        ("2026-11-25T22:15:15Z", '"2026-11-25T22:15:15Z"'),
        ("plain words", "plain words"),
        ("a: b", "'a: b'"),
        ("é", "é"),
        ("tab\there", '"tab\\there"'),
        ("one\ntwo\n", "|\n  one\n  two"),
        (True, "true"),
        (None, "null"),
        (5, "5"),
        (1e-07, "1e-07"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_value(value, text):
    assert dumped({"k": value}).decode() == f"k: {text}\n"


def test_lists_stand_under_their_key():
    assert dumped({"b": [{"x": 1, "a": "2"}, "y"]}) == b'b:\n- a: "2"\n  x: 1\n- "y"\n'


def test_keys_count_and_letters_come_last():
    assert ordered(dict.fromkeys(["a10", "a2", "b", "a-x", "aa", "a", "B"])) == [
        "B",
        "a",
        "a-x",
        "a2",
        "a10",
        "aa",
        "b",
    ]


def test_numbers_wrap_as_in_gos_64_bits_however_long_they_are():
    assert ordered({"2" * 19: 0, "1" * 19: 0}) == ["1" * 19, "2" * 19]
    assert ordered({"1" * 5000: 0, "2" * 5000: 0}) == ["2" * 5000, "1" * 5000]

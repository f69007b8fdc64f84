"""Requests to compare two servers with that build upon one another: applies, watches, pages, definitions, refusals, odd ways of writing."""

from tests.contract.asked_in_sequence import (
    applied,
    definitions,
    paged,
    refused,
    rights,
    rules,
    unchanged,
    watched,
    written,
)

AREAS = (applied, watched, paged, definitions, rules, refused, unchanged, rights, written)


def everything():
    """All of them, in an order in which each finds what it needs."""
    for area in AREAS:
        yield from area.everything()

"""Thousands of requests, good and odd, answered as a real v1.34.1 server answered them (upstream_requests.py has how).

What is answered differently stands in tests/golden/NAME_differ.json, as what was asked; nothing new may come to it.
`python -m tests.contract.upstream_requests accept NAME` writes it anew after something was mended.
"""

import pytest

from tests.contract import upstream_requests


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name_of_set", upstream_requests.SETS)
async def test_requests_are_answered_as_upstream_answers_them(name_of_set):
    requests, theirs = upstream_requests.load(name_of_set)
    answers = await upstream_requests.ours(requests)
    new, known = {}, set(upstream_requests.known(name_of_set))
    for request, where, expected, got in upstream_requests.unequal(requests, theirs, answers):
        name = upstream_requests.name_of(request)
        if name not in known:
            new.setdefault(name, []).append((where, expected, got))
    broken = [(upstream_requests.name_of(r), a[0]) for r, a in zip(requests, answers, strict=True) if is_failure(a[0])]
    assert (broken, new) == ([], {})


def is_failure(code):
    """Whether an answer says that the server failed: whatever is sent, it must not (docs/decisions/0063)."""
    return not code or (code >= 500 and code not in (503, 504))  # these: for now, what was asked for cannot be had

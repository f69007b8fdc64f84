"""Thousands of requests, good and odd, answered as a real v1.34.1 server answered them (upstream_requests.py has how).

What is answered differently stands in tests/golden/NAME_differ.json, as what was asked; nothing new may come to it.
`python -m tests.contract.upstream_requests accept NAME` writes it anew after something was mended.
"""

import pytest

from tests.contract import upstream_requests


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name_of_set", upstream_requests.SETS)
async def test_requests_are_answered_as_upstream_answers_them(name_of_set):
    new, broken, known = {}, [], set(upstream_requests.known(name_of_set))
    async for request, where, theirs, ours in upstream_requests.differences(name_of_set):
        name = upstream_requests.name_of(request)
        if where == "[0]" and ours >= 500:
            broken.append((name, theirs, ours))
        if name not in known:
            new.setdefault(name, []).append((where, theirs, ours))
    assert (broken, new) == ([], {})

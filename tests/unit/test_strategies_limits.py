"""What the amounts of a LimitRange are to one another, in upstream's order and words."""

import pytest

from apimachinery import kinds
from apiserver.strategies import strategy_of

RANGES = strategy_of(kinds.LIMITRANGES)
HUGE = "hugepages-2Mi"
UNEQUAL = f"default value 4Mi must equal to defaultRequest value 2Mi in {HUGE}"


def complaints(**limit):
    tree = {"metadata": {"name": "x"}, "spec": {"limits": [{"type": "Container", **limit}]}}
    return [str(problem).removeprefix("spec.limits[0].") for problem in RANGES.check(RANGES.default(tree), None)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "2"}}, []),
        (
            {"min": {"cpu": "2"}, "max": {"cpu": "1"}},
            [
                'min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
                'defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
                'default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
            ],
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "500m"}},
            ['maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
        ),
        (
            {"min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}},
            ['maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'],
        ),
        (
            {"default": {HUGE: "4Mi"}, "defaultRequest": {HUGE: "2Mi"}},
            [f'defaultRequest[{HUGE}]: Invalid value: "2Mi": {UNEQUAL}'],
        ),
    ],
)
def test_the_amounts_of_a_range(limit, expected):
    assert complaints(**limit) == expected

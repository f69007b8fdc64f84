"""Numbers of more digits than Python reads (4300) are refused or passed over, as upstream's 64 bits have it."""

import msgspec
import pytest

from apimachinery import cron, jsonpath, placement
from apiserver.cel.errors import EvaluationError
from apiserver.cel.libraries import formatting
from apiserver.resources import committing, reviewing
from apiserver.strategies import problems
from apiserver.strategies.pod import annotations
from apiserver.strategies.workloads import daemonsets, job_policies
from apiserver.structural import formats
from controllers import daemonset, revisions
from controllers import job_policies as job_counts
from controllers.views import Pod

NINES, ZEROS = "9" * 5000, "0" * 5000


@pytest.mark.parametrize("cost", [NINES, f"-{NINES}", "2147483648", "-2147483649", "01", ""])
def test_no_cost_of_a_deletion(cost):
    found = annotations.of({"metadata": {"annotations": {annotations._COST: cost}}})
    assert ["must be a 32bit integer" in str(problem) for problem in found] == [True]


@pytest.mark.parametrize("cost", ["0", "-0", "7", "-007", "2147483647", "-2147483648", f"-{ZEROS}1"])
def test_a_cost_of_a_deletion(cost):
    assert [*annotations.of({"metadata": {"annotations": {annotations._COST: cost}}})] == []


@pytest.mark.parametrize(("text", "good"), [(NINES, False), ("101", False), ("100", True), (f"{ZEROS}5", True)])
def test_percentages(text, good):
    assert ([*problems.at_most_100_percent("x", f"{text}%")] == []) == good


def test_annotations_that_controllers_read():
    assert revisions.number({"a": NINES}, "a") is None
    for text, number in (("3546343826724305832", 3546343826724305832), (str(2**63 - 1), 2**63 - 1), (str(2**63), None)):
        assert revisions.number({"a": text}, "a") == number  # upstream's conformance tests use the first
    owner = msgspec.convert({"metadata": {"annotations": {job_counts.COMPLETION_INDEX: NINES, "a": NINES}}}, Pod)
    assert (job_counts.index_of(owner), job_counts._count(owner, "a")) == (None, 0)
    owner.metadata.annotations[daemonset.GENERATION] = NINES
    assert daemonset._generation(owner) is None


@pytest.mark.parametrize("text", [NINES, "²"])
def test_what_is_no_number_at_all(text):
    assert not formats.holds("cidr", f"10.0.0.0/{text}")
    assert daemonsets._template_generation({"metadata": {"annotations": {daemonsets.GENERATION: text}}}) == 0
    with pytest.raises(ValueError, match="cannot convert string to integer"):
        job_policies._index(text, 3)
    assert not placement.meets("5", "Lt", (text,))
    assert not committing._is_version(text)
    assert not reviewing._PORT.fullmatch(text)
    for schedule in (f"{text} * * * *", f"*/{text} * * * *"):
        with pytest.raises(ValueError, match="failed to parse int"):
            cron.parse(schedule)


def test_places_and_precisions():
    for path in (f"$[{NINES}]", f"$[0:{NINES}]"):
        with pytest.raises(jsonpath.BadPath):
            jsonpath.find(path, [1])
    with pytest.raises(EvaluationError):
        formatting.format_text(f"%.{NINES}f", [1.0])

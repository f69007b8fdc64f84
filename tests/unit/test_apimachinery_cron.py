"""Cron schedules: the next time, as robfig/cron has it. Cases with zones are those of its spec_test.go."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from apimachinery.cron import parse


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("after", "schedule", "expected"),
    [
        ("2012-07-09T14:45", "0/15 * * * *", "2012-07-09T15:00"),
        ("2012-07-09T14:59:59", "0/15 * * * *", "2012-07-09T15:00"),
        ("2012-07-09T15:45", "20-35/15 * * * *", "2012-07-09T16:20"),
        ("2012-07-09T23:35:51", "15/35 20-23/15 * * *", "2012-07-10T20:15"),
        ("2012-07-09T23:35", "0 0 9 Apr-Oct ?", "2012-08-09T00:00"),
        ("2012-07-09T23:35", "0 0 */5 Apr,Aug,Oct Mon", "2012-08-01T00:00"),
        ("2012-07-09T23:35", "0 0 * Feb Mon", "2013-02-04T00:00"),
        ("2012-07-09T23:35", "0 0 29 Feb ?", "2016-02-29T00:00"),
        ("2012-07-09T23:35", "0 0 1 * 1", "2012-07-16T00:00"),
        ("2012-12-31T23:59:45", "* * * * *", "2013-01-01T00:00"),
        ("2012-07-09T23:35", "@weekly", "2012-07-15T00:00"),
        ("2012-07-09T23:35", "@yearly", "2013-01-01T00:00"),
        ("2012-07-09T23:35", "@hourly", "2012-07-10T00:00"),
    ],
)
def test_the_next_time(after, schedule, expected):
    assert parse(schedule).next(at(after)) == at(expected)


def test_every_counts_from_the_time_before():
    assert parse("@every 1h30m").next(1000.7) == 1000 + 5400
    assert parse("@every 10ms").next(1000) == 1001


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 Apr ?"])
def test_no_such_day(schedule):
    assert parse(schedule).next(at("2012-07-09T23:35")) is None


@pytest.mark.parametrize(
    ("after", "schedule", "expected"),
    [
        ("2012-03-11T01:00-05:00", "30 2 11 Mar ?", "2013-03-11T02:30-04:00"),  # an hour that does not exist
        ("2012-03-11T00:00-05:00", "0 * * * ?", "2012-03-11T01:00-05:00"),
        ("2012-03-11T01:00-05:00", "0 * * * ?", "2012-03-11T03:00-04:00"),
        ("2012-11-04T00:00-04:00", "0 1 04 Nov ?", "2012-11-04T01:00-04:00"),  # one that is there twice
        ("2012-11-04T01:00-04:00", "0 1 04 Nov ?", "2012-11-04T01:00-05:00"),
        ("2012-11-04T01:45-04:00", "45 1 04 Nov ?", "2012-11-04T01:45-05:00"),
        ("2012-11-04T01:00-05:00", "0 0 * * ?", "2012-11-05T00:00-05:00"),
    ],
)
def test_a_change_of_the_clocks(after, schedule, expected):
    found = parse(schedule, "America/New_York").next(datetime.fromisoformat(after).timestamp())
    assert found == datetime.fromisoformat(expected).timestamp()


def test_a_day_without_a_midnight():
    found = parse("0 9 10 Oct ?", "America/Sao_Paulo").next(
        datetime.fromisoformat("2009-10-07T00:00-03:00").timestamp()
    )
    assert found == datetime.fromisoformat("2009-10-10T09:00-03:00").timestamp()
    found = parse("TZ=Asia/Kolkata 0 9 * * *").next(at("2024-01-01T00:00"))
    assert found == datetime.fromisoformat("2024-01-01T09:00+05:30").timestamp()


@pytest.mark.parametrize(
    ("zone", "schedule", "after", "expected"),
    [  # answers of robfig/cron itself where a change of the clocks is in the way
        ("Africa/Cairo", "* 13 */2 * ?", 1272557176, 1272621600),
        ("Africa/Cairo", "12 ? * 11-12/3 4/1", 1408189872, 1414797120),
        ("Australia/Lord_Howe", "*/3 9-17/3 */6 10 1", 1683587325, 1696113000),
    ],
)
def test_odd_zones(zone, schedule, after, expected):
    assert parse(schedule, zone).next(after) == expected


def test_what_cannot_be_read():
    with pytest.raises(ValueError, match="expected exactly 5 fields, found 3"):
        parse("* * *")

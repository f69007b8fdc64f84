"""docs/compatibility.md says what the server does: every verb of every kind is driven to find out."""

from tests.contract import kinds_table


async def test_the_generated_part_of_the_page_is_up_to_date():
    assert kinds_table.PAGE.read_text() == await kinds_table.page(), "run `make generate`"

"""docs/kinds.md says what the server does: every verb of every kind is driven to find out."""

from tests.contract import kinds_table


async def test_the_page_of_kinds_is_up_to_date():
    assert kinds_table.PAGE.read_text() == await kinds_table.page()

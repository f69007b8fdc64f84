"""Numbers that annotations hold, as Go's strconv.ParseInt reads them into 64 bits."""

_MOST_DIGITS = 19
_MOST = 2**63 - 1


def int64(text: str) -> int | None:
    """A count in decimal digits; None for what is none or has no room (Python refuses thousands of digits)."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS:
        return None
    found = int(text)
    return found if found <= _MOST else None

"""Imports libraries without those parts of theirs that nobody uses here and that cost more than the rest.

httpx loads its command line, structlog rich's tracebacks with all of pygments, wherever they are installed: 0.4 s of
processor time in each process. Inside `without` they are as if not installed, which both libraries allow for.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Imports of these modules fail inside, unless they are loaded already; outside nothing is changed."""
    blocked = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None: "cannot be imported"
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]

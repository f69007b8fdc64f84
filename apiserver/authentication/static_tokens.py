"""Static tokens: the lines `token,user,uid,"group,group"` of --token-auth-file.

Read once, at the start: they are valid until the server is started anew without them.
Source: apiserver/pkg/authentication/token/tokenfile/tokenfile.go.
"""

import csv
from collections.abc import Iterator, Mapping

from apiserver.request import User


class BadTokenFile(ValueError):
    """A file of tokens that cannot be one."""


def parse(text: str, path: str) -> tuple[Mapping[str, User], tuple[str, ...]]:
    """The users by their tokens, and what is odd about the file. Raises BadTokenFile."""
    users: dict[str, User] = {}
    warnings = []
    for number, record in enumerate(_records(text, path), start=1):
        token, name, uid, *more = record
        if not token:
            warnings.append(f"empty token has been found in token file '{path}', record number '{number}'")
            continue
        if token in users:
            warnings.append(f"duplicate token has been found in token file '{path}', record number '{number}'")
        users[token] = User(name, tuple(more[0].split(",")) if more else (), uid)
    return users, tuple(warnings)


def _records(text: str, path: str) -> Iterator[list[str]]:
    try:
        for record in csv.reader(text.splitlines(), strict=True):
            if not record:
                continue
            if len(record) < 3:
                raise BadTokenFile(
                    f"token file '{path}' must have at least 3 columns (token, user name, user uid), "
                    f"found {len(record)}"
                )
            yield record
    except csv.Error as error:
        raise BadTokenFile(f"token file '{path}': {error}") from None

"""The few names that every package uses for raw API data.

`Json` is the one place where `Any` is allowed: an API object as a plain tree, as it travels. Components that only
read an object use the typed, frozen views of `apimachinery.objects` instead.
"""

from typing import Any, TypeAlias

#: An API object (or a part of one) as a plain tree of dict, list, str, int, float, bool and None.
Json: TypeAlias = dict[str, Any]

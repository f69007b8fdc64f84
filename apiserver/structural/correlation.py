"""Which old value a new one stands for, place by place: what ratcheting and transition rules compare with.

Fields correlate by name, items of map-like lists by their keys, items of other lists with nothing. "Equal" is judged
along the same lines, so a place that the schema does not name never counts as unchanged.
Source: apiserver/pkg/cel/common/{equality,maplist}.go.
"""

from typing import Any

import msgspec

from apimachinery.trees import same
from apiserver.structural.lists import key_of
from apiserver.structural.node import Node

_encode = msgspec.json.Encoder(order="deterministic").encode


class Correlation:
    """A new value beside the old one at the same place."""

    __slots__ = ("_by_key", "_children", "_equal", "new", "node", "old")

    def __init__(self, new: Any, old: Any, node: Node) -> None:
        self.new, self.old, self.node = new, old, node
        self._children: dict[str | int, Correlation] = {}
        self._equal: bool | None = None
        self._by_key: dict[bytes, Any] | None = None

    def key(self, name: str) -> "Correlation | None":
        """A field, where both have it and the schema names it."""
        if name in self._children:
            return self._children[name]
        old, new = self.old, self.new
        if old.__class__ is not dict or new.__class__ is not dict or name not in old or name not in new:
            return None
        node = self.node.properties.get(name)
        if node is None:
            node = self.node.values
        if node is None:
            return None
        made = self._children[name] = Correlation(new[name], old[name], node)
        return made

    def index(self, i: int) -> "Correlation | None":
        """An item of the new list, where the old list has one with its keys."""
        if i in self._children:
            return self._children[i]
        old = self._item(i)
        if old is None or self.node.items is None:
            return None
        made = self._children[i] = Correlation(self.new[i], old, self.node.items)
        return made

    def _item(self, i: int) -> Any:
        if self.node.list_type != "map" or self.old.__class__ is not list or self.new.__class__ is not list:
            return None
        keys = self.node.list_keys
        if self._by_key is None:
            self._by_key = {}
            for item in self.old:
                self._by_key.setdefault(_encode(key_of(item, keys)), item)
        key = key_of(self.new[i], keys)
        return self._by_key.get(_encode(key)) if len(key) == len(keys) else None

    def equal(self) -> bool:
        """Whether nothing changed here."""
        if self._equal is None:
            self._equal = self._compare()
        return self._equal

    def _compare(self) -> bool:
        old, new = self.old, self.new
        if old is None or new is None:
            return old is None and new is None
        if old.__class__ is list and new.__class__ is list:
            return len(old) == len(new) and self._same_items()
        if old.__class__ is dict and new.__class__ is dict:
            if len(old) != len(new):
                return False
            children = [self.key(name) for name in new]
            return all(child is not None and child.equal() for child in children)
        return same(old, new)

    def _same_items(self) -> bool:
        for i in range(len(self.new)):
            child = self.index(i)
            if child is None:
                return self._by_key is None and same(self.old, self.new)
            if not child.equal():
                return False
        return True

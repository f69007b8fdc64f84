"""The merge of what somebody applies into the object that is there: nothing is taken out, what is applied wins.

Elements of a list that merges keep the order in which they are applied, and those that are not applied keep their
places between them.
Source: structured-merge-diff/typed/merge.go.
"""

from typing import Any

from apimachinery.apply.elements import shown
from apimachinery.apply.typed import LIST, MAP, MISSING, Invalid, as_list, as_map, kind_of, step_to
from apimachinery.apply.types import Type
from apimachinery.types import Json


def merged(kind: Type, live: Json, applied: Json) -> Json:
    """The live tree with what is applied. Shares parts with both. Raises Invalid for duplicates in what is applied."""
    made: Json = _merged(kind, live, applied)
    return made


def _merged(kind: Type | None, left: Any, right: Any) -> Any:
    """One value; either may be MISSING, the result may be, where both are empty of anything."""
    if kind is None:
        return left if right is MISSING else right
    how = kind_of(kind, left if right is MISSING else right)
    if how == MAP and not kind.map_atomic:
        if as_map(left) or as_map(right):
            return _merged_maps(kind, as_map(left), as_map(right))
    elif how == LIST and not kind.list_atomic and (as_list(left) or as_list(right)):
        return _Lists(kind, as_list(left), as_list(right)).merged()
    return left if right is MISSING else right


def _merged_maps(kind: Type, left: Json, right: Json) -> Any:
    made = {}
    for name in left | right:
        value = _merged(kind.of(name), left.get(name, MISSING), right.get(name, MISSING))
        if value is not MISSING:
            made[name] = value
    return made or MISSING


class _Lists:
    """The merge of two lists by the steps to their elements."""

    def __init__(self, kind: Type, left: list[Any], right: list[Any]) -> None:
        self.kind, self.left = kind, left
        self.left_steps = [step_to(kind, item) for item in left]
        self.right_steps = [step_to(kind, item) for item in right]
        self.lefts: dict[str, Any] = {}
        for step, item in zip(self.left_steps, left, strict=True):
            self.lefts[step] = None if step in self.lefts else item  # one that is there twice is replaced
        self.rights = dict(zip(self.right_steps, right, strict=True))
        if len(self.rights) < len(right):
            doubled = next(s for i, s in enumerate(self.right_steps) if s in self.right_steps[:i])
            raise Invalid([("", f"duplicate entries for key {shown(doubled)}")])
        #: Elements that both have, in the order applied.
        self.shared = [step for step in self.right_steps if step in self.lefts]
        self.next = 0  # which of them comes next
        self.done: set[str] = set()
        self.made: list[Any] = []

    def merged(self) -> Any:
        """The list; MISSING when nothing is left in it."""
        at_left = at_right = 0
        while at_left < len(self.left_steps) or at_right < len(self.right_steps):
            step = self.left_steps[at_left] if at_left < len(self.left_steps) else ""
            wanted = self.right_steps[at_right] if at_right < len(self.right_steps) else ""
            if step and wanted:
                if step == wanted:
                    self.take(wanted)
                    self.next += 1
                    at_left, at_right = at_left + 1, at_right + 1
                    continue
                if step in self.rights and self.next_shared() not in ("", step):
                    at_left += 1  # comes later, where it is applied
                    continue
            if step:
                if step not in self.rights:
                    self.add(self.left[at_left], MISSING)
                    at_left += 1
                    continue
                if step in self.done:
                    at_left += 1
            if wanted:
                self.take(wanted)
                at_right += 1
                self.next += self.next_shared() == wanted
        return self.made or MISSING

    def next_shared(self) -> str:
        return self.shared[self.next] if self.next < len(self.shared) else ""

    def take(self, step: str) -> None:
        """Add an applied element, merged with the one that is there."""
        self.done.add(step)
        self.add(self.lefts.get(step, MISSING), self.rights[step])

    def add(self, left: Any, right: Any) -> None:
        """Add what two elements come to."""
        value = _merged(self.kind.items, left, right)
        if value is not MISSING:
            self.made.append(value)

"""Which types fit which, with type variables. Source: cel-go/checker/types.go, followed rule by rule.

A mapping says what each type variable stands for; it is never changed: `assignable` gives a new one, or None.
"""

from collections.abc import Sequence

from apiserver.cel.types import DYN, Type

Mapping = dict[Type, Type]

_NULLABLE = ("opaque", "object", "duration", "timestamp")


def assignable(mapping: Mapping, one: Type, other: Type) -> Mapping | None:
    trial = _own(mapping, (one, other))
    return trial if _assignable(trial, one, other) else None


def assignable_lists(mapping: Mapping, ones: Sequence[Type], others: Sequence[Type]) -> Mapping | None:
    trial = _own(mapping, (*ones, *others))
    return trial if _all_assignable(trial, ones, others) else None


def _own(mapping: Mapping, types: Sequence[Type]) -> Mapping:
    """A copy to write into; where no type variable occurs nothing will be written."""
    return dict(mapping) if any(map(has_variables, types)) else mapping


def has_variables(type: Type) -> bool:
    return type.kind == "param" or (bool(type.params) and any(map(has_variables, type.params)))


def _all_assignable(m: Mapping, ones: Sequence[Type], others: Sequence[Type]) -> bool:
    return len(ones) == len(others) and all(_assignable(m, a, b) for a, b in zip(ones, others, strict=True))


def _assignable(m: Mapping, one: Type, other: Type) -> bool:
    if other.kind == "param":
        valid, known = _valid_substitution(m, one, other)
        if valid:
            return True
        if known:
            return False
    if one.kind == "param":
        return _valid_substitution(m, other, one)[0]
    if one.is_dynamic or other.is_dynamic:
        return True
    if one.kind == "null":
        return other.kind == "null" or other.kind in _NULLABLE
    if other.kind == "null":
        return one.kind in _NULLABLE
    if one.kind != other.kind:
        return False
    if one.kind in ("list", "map", "opaque"):
        return one.name == other.name and _all_assignable(m, one.params, other.params)
    return one.kind == "type" or one.name == other.name


def _valid_substitution(m: Mapping, type: Type, param: Type) -> tuple[bool, bool]:
    """Whether the variable may stand for the type, and whether it already stands for something."""
    if type == param:
        return True, True
    if (now := m.get(param)) is not None:
        if type == now:
            return True, True
        if _assignable(m, type, now):
            wider = most_general(type, now)
            if _not_within(m, param, wider):
                m[param] = wider
            return True, True
        return False, True
    if _not_within(m, param, type):
        m[param] = type
        return True, False
    return False, False


def _not_within(m: Mapping, param: Type, type: Type) -> bool:
    if param == type:
        return False
    if type.kind == "param":
        return type not in m or _not_within(m, param, m[type])
    return all(_not_within(m, param, p) for p in type.params)


def most_general(one: Type, other: Type) -> Type:
    return one if _less_specific(one, other) else other


def _less_specific(one: Type, other: Type) -> bool:
    if one.kind in ("dyn", "param"):
        return True
    if other.kind in ("dyn", "param") or one.kind != other.kind:
        return False
    if one.kind == "type":
        return True
    if one.params or other.params:
        return (
            one.name == other.name
            and len(one.params) == len(other.params)
            and all(map(_less_specific, one.params, other.params))
        )
    return one == other


def substitute(m: Mapping, type: Type, *, dynamic: bool) -> Type:
    """The type with every bound variable replaced; free ones become dynamic if asked."""
    if (now := m.get(type)) is not None:
        return substitute(m, now, dynamic=dynamic)
    if type.kind == "param":
        return DYN if dynamic else type
    if not type.params:
        return type
    return Type(type.kind, type.name, tuple(substitute(m, p, dynamic=dynamic) for p in type.params), type.fields)

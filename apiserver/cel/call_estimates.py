"""What a call can cost at most, and how large its result is: cel-go's functions, and those of Kubernetes' libraries.

Source: cel-go/checker/cost.go, apiserver/pkg/cel/library/cost.go (EstimateCallCost).
"""

import math
from collections.abc import Callable, Sequence

from apiserver.cel.environment import Overload
from apiserver.cel.ranges import MOST, ONE, QUARTER, TENTH, UNKNOWN, Estimate, Range, Term, fixed


def standard(function: str, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    """cel-go's own functions that are not O(1)."""
    sizes = [arg.size or UNKNOWN for arg in args]
    kinds = [param.kind for param in overload.params]
    mine = on.size or UNKNOWN if on is not None else UNKNOWN
    match function:
        case "format" if on is not None:
            return Estimate(mine.scaled(TENTH))
        case "bytes" if kinds == ["string"]:
            return Estimate(sizes[0].scaled(TENTH), Range(sizes[0].least, min(MOST, sizes[0].most * 4)))
        case "string" if kinds == ["bytes"]:
            return Estimate(sizes[0].scaled(TENTH), Range(sizes[0].least // 4, sizes[0].most))
        case "strings.quote":
            return Estimate(sizes[0].scaled(TENTH), Range(sizes[0].least + 2, min(MOST, sizes[0].most * 2 + 2)))
        case "startsWith" | "endsWith":
            return Estimate(sizes[0].scaled(TENTH))
        case "@in" if kinds[1] == "list":
            return Estimate(sizes[1].scaled(1))
        case "matches" if on is not None:
            return Estimate(mine.plus(ONE).scaled(TENTH).times(sizes[0].scaled(QUARTER)))
        case "contains":
            return Estimate(mine.scaled(TENTH).times(sizes[0].scaled(TENTH)))
        case "sets.contains" | "sets.intersects" | "sets.equivalent":
            factor = 2 if function == "sets.equivalent" else 1
            return Estimate(sizes[0].times(sizes[1]).scaled(factor).plus(ONE))
        case "_==_" | "_!=_":
            return Estimate(_compared(sizes))
        case "_<_" | "_<=_" | "_>_" | "_>=_" if kinds[0] in ("string", "bytes"):
            return Estimate(_compared(sizes))
    return Estimate(ONE)


def _compared(sizes: Sequence[Range]) -> Range:
    most = min(sizes[0].most, sizes[1].most)
    return Range(1 if most > 0 else 0, most).scaled(TENTH)


_Known = Callable[[Term], Range]
_Rule = Callable[[_Known, Overload, Term | None, Sequence[Term]], Estimate | None]


def _nominal(_known: _Known, _overload: Overload, _on: Term | None, _args: Sequence[Term]) -> Estimate:
    return Estimate(ONE)


def _check(_known: _Known, _overload: Overload, _on: Term | None, _args: Sequence[Term]) -> Estimate:
    return Estimate(fixed(350_000))


def _selector(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    size = known(args[0])
    return Estimate(fixed(10).plus(size.scaled(TENTH)).plus(Range(*size.scaled(0.5)).scaled(50.0)))


def _elements(known: _Known, _overload: Overload, on: Term | None, _args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    if not on.type.params:  # a string, which indexOf takes as well
        return Estimate(known(on).scaled(TENTH))
    each = ONE
    element = on.type.params[0]
    if element.kind in ("string", "bytes"):
        each = each.plus(known(Term((*on.path, "@items") if on.path else (), element, None)).scaled(TENTH))
    return Estimate(known(on).times(each))


def _traversed(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(TENTH))


def _traversed_alike(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    size = known(args[0])
    return Estimate(size.scaled(TENTH), size)


def _target_alike(known: _Known, _overload: Overload, on: Term | None, _args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    size = known(on)
    return Estimate(size.scaled(TENTH), size)


def _replace(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None or len(args) < 2:
        return None
    size, old, new = known(on), known(args[0]), known(args[1])
    most, kept_most = _replaced_most(size.most, old.least, new.most)
    least, kept_least = _replaced_least(size.least, old.most, new.least)
    result = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return Estimate(size.scaled(2 * TENTH), result)


def _replaced_most(size: int, old: int, new: int) -> tuple[int, int]:
    if old == 0:
        return min(MOST, size + 1), size
    if new <= old:
        return 0, size
    return min(MOST, math.ceil(float(size) / old)), 0


def _replaced_least(size: int, old: int, new: int) -> tuple[int, int]:
    if old == 0:
        return min(MOST, size + 1), size
    if old <= new:
        return 0, size
    return math.ceil(float(size) / old), 0


def _split(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:  # noqa: ARG001
    if on is None:
        return None
    size = known(on)
    return Estimate(size.scaled(2 * TENTH), Range(0, size.most))


def _join(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    count = known(on)
    element = Term((*on.path, "@items") if on.path else (), on.type.params[0], None)
    size = count.times(known(element))
    if args:
        size = size.plus(known(args[0]).times(Range(max(0, count.least - 1), max(0, count.most - 1))))
    return Estimate(size.scaled(TENTH), size)


def _found(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    size = known(on)
    cost = size.plus(ONE).scaled(TENTH).times(known(args[0]).scaled(QUARTER))
    return Estimate(cost, Range(0, size.most))


def _ip(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(ONE) if on is not None else _traversed(known, overload, on, args)


def _canonical(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(2 * TENTH))


_ADDRESS = Range(4, 16)


def _contains_ip(known: _Known, overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    cost = _ADDRESS.plus(_ADDRESS).scaled(TENTH)
    if overload.params[1].kind == "string":
        cost = cost.plus(known(args[0]).scaled(TENTH))
    return Estimate(cost)


def _contains_cidr(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    cost = _contains_ip(known, overload, on, args).cost
    return Estimate(cost.plus(_ADDRESS.scaled(TENTH)).plus(ONE))


def _validate(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(TENTH).scaled(128 * QUARTER))


def _same(_known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate | None:
    """Equality of Kubernetes' own types."""
    if args[0].type != args[1].type or args[0].type.kind != "opaque":
        return None
    name = args[0].type.name
    if name == "kubernetes.NamedFormat":
        return Estimate(Range(1, 64).scaled(TENTH))
    if name == "kubernetes.URL":
        return Estimate(Range(1, (args[1].size or ONE).most).scaled(TENTH))
    return Estimate(ONE) if name.startswith(("kubernetes.", "net.")) else None


_NOMINAL = (
    *("serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason"),
    *("error", "errored", "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast"),
    *("isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger"),
    *("asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch"),
    *("getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery"),
)
KUBERNETES: dict[str, _Rule] = {
    **dict.fromkeys(_NOMINAL, _nominal),
    "check": _check,
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    **dict.fromkeys(("url", "jsonpatch.escapeKey"), _traversed_alike),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _target_alike),
    "replace": _replace,
    "split": _split,
    "join": _join,
    **dict.fromkeys(("find", "findAll"), _found),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _traversed),
    "ip": _ip,
    "ip.isCanonical": _canonical,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": _validate,
    "_==_": _same,
}

"""The environment of Kubernetes v1.34: CEL's functions and all libraries a new expression may use there.

The list extension of 1.34 (`sortBy`, `flatten`, ...) is not among them: upstream lets new expressions use only what
the version before knew as well, so 1.34 refuses it too. Source: apiserver/pkg/cel/environment/base.go.
"""

from apiserver.cel import optionals, standard
from apiserver.cel.environment import Environment, functions, overload
from apiserver.cel.libraries import authorizer, formats, lists, networks, quantities, regex, semver, strings, urls
from apiserver.cel.types import DYN, Type, map_of, opaque

#: The only ones of the libraries' types that upstream declares as names.
_NAMED = ("net.IP", "net.CIDR")

#: Functions a comprehension over two variables expands to; the evaluator knows them itself.
_INSERT = (
    overload("+cel.@mapInsert(map(K, V), K, V) -> map(K, V)", dict),
    overload("+cel.@mapInsert(map(K, V), map(K, V)) -> map(K, V)", dict),
)

ENVIRONMENT = Environment(
    functions=functions(
        standard.LIBRARY,
        optionals.LIBRARY,
        _INSERT,
        strings.LIBRARY,
        lists.LIBRARY,
        regex.LIBRARY,
        urls.LIBRARY,
        quantities.LIBRARY,
        networks.LIBRARY,
        formats.LIBRARY,
        semver.LIBRARY,
        authorizer.LIBRARY,
    ),
    types={name: opaque(name) for name in _NAMED},
)

AUTHORIZER: Type = opaque("kubernetes.authorization.Authorizer")
RESOURCE_CHECK: Type = opaque("kubernetes.authorization.ResourceCheck")
ANY_MAP = map_of(DYN, DYN)

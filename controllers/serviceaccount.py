"""Gives every namespace its ServiceAccount `default`. Source: pkg/controller/serviceaccount."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.kinds import NAMESPACES, SERVICEACCOUNTS
from client.plan import Create, Key, Plan, View, Watch, itself
from controllers.views import (
    Namespace,
)

DEFAULT = "default"


def namespace_of(item: Any, _view: View) -> Iterable[Key]:
    """The namespace is the key: its accounts are looked at together."""
    return (Key("", item.metadata.namespace),)


def is_gone(_old: Any, new: Any) -> bool:
    """Only deletions matter."""
    return new is None


def is_taking(namespace: Namespace | None) -> bool:
    """Whether objects can be made in the namespace."""
    return namespace is not None and namespace.metadata.deletion_timestamp is None


@dataclass(frozen=True)
class ServiceAccountController:
    """The controller of default ServiceAccounts; its keys are namespaces."""

    name: str = "serviceaccount-controller"
    watches: Sequence[Watch] = (Watch(NAMESPACES, itself), Watch(SERVICEACCOUNTS, namespace_of, is_gone))

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        is_there = view.get(SERVICEACCOUNTS, Key(key.name, DEFAULT)) is not None
        if is_there or not is_taking(view.get(NAMESPACES, key)):
            return Plan()
        return Plan([Create(SERVICEACCOUNTS, key.name, {"metadata": {"name": DEFAULT}})])

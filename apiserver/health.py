"""The API server's named checks for /healthz, /livez and /readyz, under upstream's names.

What a server does once at its start is a "poststarthook": one that has not ended holds /readyz, /livez and /healthz.
(Upstream's informers are the watch cache here.) /readyz besides asks whether the cache is filled, and fails from the
moment that the server is told to stop.
Sources: apiserver/pkg/server/{healthz,hooks,options/etcd}.go, pkg/controlplane, kube-aggregator.
"""

from collections.abc import Callable, Collection, Mapping

from apiserver.resources.api import Api
from serving.health import Check

#: How long a health check waits for the store.
_CHECK_SECONDS = 2.0
_REGISTRATION = "kube-apiserver-autoregistration"
#: What is done before the server is ready, in the order in which it is shown.
HOOKS = (
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    _REGISTRATION,
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)


class Checks:
    """The three sets. `done` holds the names of hooks that have ended."""

    def __init__(self, api: Api, done: Collection[str], is_registered: Callable[[], bool]) -> None:
        self._api = api
        self._done = done
        self._is_registered = is_registered
        self.is_leaving = False
        hooks: dict[str, Check] = {}
        for name in HOOKS:
            hooks[f"poststarthook/{name}"] = self._hook(name)
            if name == _REGISTRATION:
                hooks["autoregister-completion"] = self._registered
        self.alive: Mapping[str, Check] = {"log": _log, "etcd": self._etcd, **hooks}
        self.ready: Mapping[str, Check] = {
            "log": _log,
            "etcd": self._etcd,
            "etcd-readiness": self._etcd,
            "informer-sync": self._filled,
            **hooks,
            "shutdown": self._staying,
        }

    def paths(self) -> list[str]:
        """Where each set, and each check of it, is answered."""
        sets = {"healthz": self.alive, "livez": self.alive, "readyz": self.ready}
        return [f"/{root}{check}" for root, set_ in sets.items() for check in ("", "/ping", *(f"/{n}" for n in set_))]

    async def _etcd(self) -> None:
        await self._api.cache.wait_fresh(_CHECK_SECONDS)

    async def _filled(self) -> None:
        if not self._api.cache.revision:
            raise RuntimeError("the watch cache is not filled yet")

    def _hook(self, name: str) -> Check:
        async def check() -> None:
            if name not in self._done:
                raise RuntimeError("not finished")

        return check

    async def _registered(self) -> None:
        if not self._is_registered():
            raise RuntimeError("missing APIService")

    async def _staying(self) -> None:
        if self.is_leaving:
            raise RuntimeError("process is shutting down")


async def _log() -> None:
    """Lines go to stderr at once: there is no queue that could be stuck."""

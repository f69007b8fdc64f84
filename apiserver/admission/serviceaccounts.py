"""ServiceAccount: every pod runs as one, and finds its token where clients look for it.

Source: plugin/pkg/admission/serviceaccount/admission.go.
"""

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources

DEFAULT = "default"
MIRROR = "kubernetes.io/config.mirror"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path, no secret
PREFIX = "kube-api-access-"
_ROOT_CA = "kube-root-ca.crt"
#: An hour and some seconds, by which token requests of pods are told from others in upstream's metrics.
_EXPIRATION = 3607
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def _mutate(review: Review) -> None:
    if not review.is_about(kinds.PODS, CREATE):
        return
    spec = review.tree["spec"]
    if _is_mirror(review.tree):
        return
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = _account(review, name)
    if _mounts_token(account, spec):
        _mount_token(review, spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]


def _validate(review: Review) -> None:
    """A pod's account is there; a mirror pod has none, and nothing of the API's in it."""
    if review.is_about(kinds.PODS, UPDATE, subresource="ephemeralcontainers"):
        return
    if not review.is_about(kinds.PODS, CREATE):
        return
    spec = review.tree["spec"]
    if not _is_mirror(review.tree):
        _account(review, spec.get("serviceAccountName", DEFAULT))
        return
    if spec.get("serviceAccountName"):
        raise review.refuse("a mirror pod may not reference service accounts")
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("serviceAccountToken") is not None:
                raise review.refuse("a mirror pod may not use ServiceAccountToken volume projections")
        if volume.get("secret") is not None:
            raise review.refuse("a mirror pod may not reference secrets")


def _is_mirror(pod: Json) -> bool:
    return MIRROR in ((pod.get("metadata") or {}).get("annotations") or {})


def _account(review: Review, name: str) -> Json:
    account = review.lookup.get(kinds.SERVICEACCOUNTS, review.namespace, name)
    if account is None:
        where = f"{review.namespace}/{name}"
        raise review.refuse(f'error looking up service account {where}: serviceaccount "{name}" not found')
    return account


def _mounts_token(account: Json, spec: Json) -> bool:
    """The pod's word counts before the account's; by default the token is mounted."""
    for tree in (spec, account):
        if tree.get("automountServiceAccountToken") is not None:
            return bool(tree["automountServiceAccountToken"])
    return True


def _mount_token(review: Review, spec: Json) -> None:
    """One volume, mounted into every container that has nothing of its own there."""
    volume = next((v["name"] for v in spec.get("volumes") or () if _is_token_volume(v)), "")
    name = volume or PREFIX + "".join(review.random.choices(_ALPHABET, k=5))
    needed = False
    for list_name in ("initContainers", "containers"):
        for container in spec.get(list_name) or ():
            mounts = container.get("volumeMounts") or []
            if any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
                continue
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}]
            needed = True
    if needed and not volume:
        spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(name)]


def _is_token_volume(volume: Json) -> bool:
    sources = (volume.get("projected") or {}).get("sources") or ()
    is_ours = str(volume.get("name", "")).startswith(PREFIX)
    return is_ours and any(source.get("serviceAccountToken") is not None for source in sources)


def token_volume(name: str) -> Json:
    """The token, the CA of the API server, and the namespace, as files."""
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
                {"configMap": {"name": _ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "namespace",
                                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                            }
                        ]
                    }
                },
            ],
            "defaultMode": 0o644,
        },
    }


SERVICE_ACCOUNT = Plugin("ServiceAccount", mutate=_mutate, validate=_validate, of=resources(kinds.PODS))

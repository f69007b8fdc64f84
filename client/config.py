"""Where the API server is and who we are: kubeconfig files and the in-cluster service account.

Reads what kubectl reads (several files in KUBECONFIG are merged, the first to name a thing wins; relative paths count
from the file they stand in) and gives a `ClientConfig`: plain values. Key material that stands inline in a kubeconfig
stays in memory until `tls_context` needs it: OpenSSL loads keys from files only, so one of mode 0600 exists for the
length of that call. Does not run exec plugins or auth providers: those raise a `ConfigError` that says so.
Source of the format: client-go/tools/clientcmd/api/v1/types.go.
"""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apimachinery.types import Json

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOME_CONFIG = "~/.kube/config"


class ConfigError(Exception):
    """The configuration cannot be used; the text says why and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """One API server and one identity. Data wins over files, a token file over a token."""

    server: str
    ca_data: bytes = b""
    cert_file: str = ""
    key_file: str = ""
    cert_data: bytes = b""
    key_data: bytes = b""
    token: str = ""
    token_file: str = ""
    insecure: bool = False
    namespace: str = "default"
    tls_server_name: str = ""
    proxy: str = ""
    username: str = ""
    password: str = ""


def load(context: str = "") -> ClientConfig:
    """What kubectl would use: $KUBECONFIG, ~/.kube/config, or the service account of the pod we run in."""
    if os.environ.get("KUBECONFIG") or Path(HOME_CONFIG).expanduser().exists():
        return load_kubeconfig(context=context)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster()
    raise ConfigError(
        "no configuration has been provided: set KUBECONFIG, pass --kubeconfig, or make a cluster with `pykubeadm up`"
    )


def in_cluster(folder: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ) -> ClientConfig:
    """The service account mounted into every pod. The token is re-read by the client, since the kubelet rotates it."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port or not (folder / "token").exists():
        raise ConfigError(
            "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be "
            f"defined and {folder}/token must exist"
        )
    namespace = folder / "namespace"
    return ClientConfig(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_data=(folder / "ca.crt").read_bytes(),
        token_file=str(folder / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def load_kubeconfig(path: str | Path = "", context: str = "") -> ClientConfig:
    """The identity and server of one context (by default the current one) of one or several kubeconfig files."""
    merged = merged_kubeconfig(path)
    name = context or merged["current-context"]
    if not name and not merged["contexts"]:
        raise ConfigError("no contexts are defined in the kubeconfig; make a cluster with `pykubeadm up`")
    if name not in merged["contexts"]:
        raise ConfigError(f'context "{name}" does not exist' if name else "current-context is not set")
    chosen = merged["contexts"][name]
    cluster = _named(merged, "clusters", chosen.get("cluster", ""), name)
    user = _named(merged, "users", chosen["user"], name) if chosen.get("user") else {"": Path()}
    return _config(cluster, user, chosen.get("namespace") or "default")


def merged_kubeconfig(path: str | Path = "") -> Json:
    """All files as one: `clusters`, `users` and `contexts` by name, and `current-context`.

    The body of each cluster and user carries the folder of its file under the key "" (relative paths start there).
    """
    text = str(path) or os.environ.get("KUBECONFIG") or HOME_CONFIG
    merged: Json = {"clusters": {}, "users": {}, "contexts": {}, "current-context": ""}
    files = [Path(part).expanduser() for part in ([text] if path else text.split(os.pathsep)) if part]
    found = [file for file in files if file.exists()]
    if not found:
        raise ConfigError(f"kubeconfig {text} does not exist")
    for file in found:
        tree = _read(file)
        merged["current-context"] = merged["current-context"] or tree.get("current-context") or ""
        for plural, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            for entry in tree.get(plural) or ():
                body = {**(entry.get(singular) or {}), "": file.parent}
                merged[plural].setdefault(entry.get("name", ""), body)
    return merged


def _read(file: Path) -> Json:
    try:
        tree = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - is safe
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"error loading config file {file}: {error}") from error
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"error loading config file {file}: not a mapping")
    return tree or {}


def _named(merged: Json, plural: str, name: str, context: str) -> Json:
    try:
        body: Json = merged[plural][name]
    except KeyError:
        raise ConfigError(f'{plural[:-1]} "{name}" does not exist (context "{context}" names it)') from None
    return body


def _config(cluster: Json, user: Json, namespace: str) -> ClientConfig:
    for key, word in (("exec", "exec credential plugins"), ("auth-provider", "auth providers")):
        if user.get(key):
            raise ConfigError(
                f"{word} are not supported; use a client certificate, a token or a tokenFile in the kubeconfig"
            )
    if not cluster.get("server"):
        raise ConfigError("the cluster in the kubeconfig has no server")
    return ClientConfig(
        server=cluster["server"].rstrip("/"),
        ca_data=_bytes(cluster, "certificate-authority"),
        cert_file=_path(user, "client-certificate"),
        key_file=_path(user, "client-key"),
        cert_data=_inline(user, "client-certificate-data"),
        key_data=_inline(user, "client-key-data"),
        token=user.get("token") or "",
        token_file=_path(user, "tokenFile"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=namespace,
        tls_server_name=cluster.get("tls-server-name") or "",
        proxy=cluster.get("proxy-url") or "",
        username=user.get("username") or "",
        password=user.get("password") or "",
    )


def _path(body: Json, key: str) -> str:
    return str(body[""] / Path(body[key]).expanduser()) if body.get(key) else ""


def _inline(body: Json, key: str) -> bytes:
    try:
        return base64.b64decode(body.get(key) or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ConfigError(f"{key} in the kubeconfig is not base64: {error}") from error


def _bytes(body: Json, key: str) -> bytes:
    if data := _inline(body, f"{key}-data"):
        return data
    path = _path(body, key)
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise ConfigError(f"unable to read {key} {path}: {error}") from error


def tls_context(config: ClientConfig) -> ssl.SSLContext:
    """The TLS side of a configuration, for httpx and for raw connections (exec, port-forward) alike."""
    try:
        context = ssl.create_default_context(cadata=config.ca_data.decode() or None)
        if config.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if config.cert_data:
            _load_inline(context, config)
        elif config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
        raise ConfigError(f"the TLS data of the configuration cannot be used: {error}") from error
    return context


def _load_inline(context: ssl.SSLContext, config: ClientConfig) -> None:
    key = config.key_data or (Path(config.key_file).read_bytes() if config.key_file else b"")
    with tempfile.NamedTemporaryFile(prefix="pykube-") as file:  # mode 0600, gone when the block ends
        file.write(config.cert_data.rstrip() + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def headers(config: ClientConfig, token: str) -> dict[str, Any]:
    """The Authorization header, if the identity has one."""
    if token:
        return {"Authorization": f"Bearer {token}"}
    if config.username:
        pair = base64.b64encode(f"{config.username}:{config.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}

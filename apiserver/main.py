"""`pykube-apiserver`: the flags of kube-apiserver, files read, the app served over HTTPS until SIGTERM.

    pykube-apiserver --etcd-servers=https://127.0.0.1:2379 --etcd-cafile=ca.crt ... --tls-cert-file=apiserver.crt ...
    pykube-apiserver --storage=memory --secure-port=6443      (for trying out: nothing is kept)

On SIGTERM the server is not ready any more, leaves the endpoints, serves on for --shutdown-delay-duration, ends watches
and streams, takes no new connection, and gives requests in flight ten seconds.
"""

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
import typer
import yaml

from apimachinery import durations
from apiserver.admission.chain import check_names
from apiserver.app import App, Options, create_app
from apiserver.audit import AuditLog, parse
from apiserver.audit.log import audit_file
from apiserver.audit.policy import BadPolicy
from apiserver.authentication import static_tokens
from apiserver.options import ISSUER
from apiserver.request import User
from apiserver.resources import foreign
from apiserver.storage import compaction
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.etcd_channel import EtcdTLS
from apiserver.storage.measured import Measured
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import Storage, StorageError
from apiserver.switches import features, more_kinds
from serving import collector, logs, process
from serving.https import ServerTLS, serve

log = structlog.get_logger("apiserver")
#: How long requests in flight have to end when the server goes.
_GRACE_SECONDS = 10.0
#: Seconds between two questions for the size of etcd's database.
_SIZE_SECONDS = 30.0
T = TypeVar("T")
command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

EXAMPLE = (
    "Example: pykube-apiserver --storage=memory --secure-port=6443 --tls-cert-file=a.crt --tls-private-key-file=a.key"
)


@command.command(epilog=EXAMPLE)
def run(
    etcd_servers: Annotated[str, typer.Option(help="etcd's URLs, separated by commas")] = "http://127.0.0.1:2379",
    etcd_cafile: Annotated[str, typer.Option(help="CA of etcd's certificate")] = "",
    etcd_certfile: Annotated[str, typer.Option(help="client certificate for etcd")] = "",
    etcd_keyfile: Annotated[str, typer.Option(help="its key")] = "",
    etcd_compaction_interval: Annotated[str, typer.Option(help="how old history must be to be forgotten")] = "5m0s",
    storage: Annotated[str, typer.Option(help="etcd, or memory for trying out")] = "etcd",
    bind_address: Annotated[str, typer.Option(help="address to listen on")] = "0.0.0.0",  # noqa: S104 - upstream's default
    secure_port: Annotated[int, typer.Option(help="port to listen on")] = 6443,
    advertise_address: Annotated[str, typer.Option(help="address for others; default: this machine's")] = "",
    tls_cert_file: Annotated[str, typer.Option(help="the server's certificate (chain), PEM")] = "",
    tls_private_key_file: Annotated[str, typer.Option(help="its key")] = "",
    client_ca_file: Annotated[str, typer.Option(help="CA of client certificates")] = "",
    token_auth_file: Annotated[str, typer.Option(help="static tokens: token,user,uid,groups a line")] = "",
    service_account_key_file: Annotated[list[str] | None, typer.Option(help="keys that verify tokens")] = None,
    service_account_signing_key_file: Annotated[str, typer.Option(help="key that signs tokens")] = "",
    service_account_issuer: Annotated[list[str] | None, typer.Option(help="issuer of tokens; the first signs")] = None,
    api_audiences: Annotated[str, typer.Option(help="audiences of tokens for this server; default: the issuer")] = "",
    service_account_max_token_expiration: Annotated[str, typer.Option(help="longest life of a token")] = "0s",  # noqa: S107 - a duration
    service_cluster_ip_range: Annotated[str, typer.Option(help="addresses of services")] = "10.96.0.0/16",
    service_node_port_range: Annotated[str, typer.Option(help="node ports")] = "30000-32767",
    kubelet_client_certificate: Annotated[str, typer.Option(help="certificate for kubelets")] = "",
    kubelet_client_key: Annotated[str, typer.Option(help="its key")] = "",
    kubelet_certificate_authority: Annotated[str, typer.Option(help="CA of kubelets")] = "",
    authorization_mode: Annotated[str, typer.Option(help="Node, RBAC, AlwaysAllow, AlwaysDeny; commas")] = "Node,RBAC",
    anonymous_auth: Annotated[str, typer.Option(help="true: who shows nothing is system:anonymous")] = "true",
    proxy_client_cert_file: Annotated[str, typer.Option(help="certificate of the aggregator")] = "",
    proxy_client_key_file: Annotated[str, typer.Option(help="its key")] = "",
    enable_aggregator_routing: Annotated[bool, typer.Option(help="reach extension servers at their endpoints")] = False,  # noqa: FBT002
    requestheader_client_ca_file: Annotated[str, typer.Option(help="CA of front proxies")] = "",
    requestheader_allowed_names: Annotated[str, typer.Option(help="their common names; commas")] = "",
    requestheader_username_headers: Annotated[str, typer.Option()] = "X-Remote-User",
    requestheader_group_headers: Annotated[str, typer.Option()] = "X-Remote-Group",
    requestheader_extra_headers_prefix: Annotated[str, typer.Option()] = "X-Remote-Extra-",
    enable_admission_plugins: Annotated[str, typer.Option(help="plugins to turn on besides; commas")] = "",
    disable_admission_plugins: Annotated[str, typer.Option(help="plugins to turn off; commas")] = "",
    feature_gates: Annotated[
        list[str] | None, typer.Option(help="A=true,...: features of v1.34 to turn on or off")
    ] = None,
    runtime_config: Annotated[
        list[str] | None, typer.Option(help="GROUP/VERSION=true: to serve what is off by default")
    ] = None,
    max_requests_inflight: Annotated[int, typer.Option(help="reads answered at a time")] = 400,
    max_mutating_requests_inflight: Annotated[int, typer.Option(help="writes answered at a time")] = 200,
    shutdown_delay_duration: Annotated[str, typer.Option(help="go on serving for so long after SIGTERM")] = "0s",
    audit_policy_file: Annotated[str, typer.Option(help="what is recorded of which requests (audit.k8s.io/v1)")] = "",
    audit_log_path: Annotated[str, typer.Option(help="where it is recorded; - for stdout")] = "",
    audit_log_maxsize: Annotated[int, typer.Option(help="MiB after which the file is rotated; 0 for never")] = 0,
    audit_log_maxbackup: Annotated[int, typer.Option(help="how many rotated files are kept; 0 for all")] = 0,
    log_json: Annotated[bool, typer.Option(help="logs as JSON lines")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """The API server of PyKube."""
    logs.configure("apiserver", json=log_json)
    issuers, modes = service_account_issuer or [ISSUER], _split(authorization_mode)
    options = Options(
        authorization_modes=modes,
        anonymous=_lets_anonymous(modes, anonymous_auth),
        service_cidr=service_cluster_ip_range,
        node_port_range=_port_range(service_node_port_range),
        advertise_address=advertise_address or _address_of(bind_address),
        secure_port=secure_port,
        hostname=socket.gethostname(),
        client_ca=_read(client_ca_file),
        requestheader_ca=_read(requestheader_client_ca_file),
        requestheader_allowed_names=_split(requestheader_allowed_names),
        requestheader_username_headers=_split(requestheader_username_headers),
        requestheader_group_headers=_split(requestheader_group_headers),
        requestheader_extra_prefixes=_split(requestheader_extra_headers_prefix),
        static_tokens=_static_tokens(token_auth_file),
        issuer=issuers[0],
        issuers=tuple(issuers[1:]),
        audiences=_split(api_audiences),
        signing_key=_read(service_account_signing_key_file),
        verifying_keys=tuple(_read(path) for path in service_account_key_file or ()),
        longest_token=int(_seconds(service_account_max_token_expiration)),
        kubelet_certificate=kubelet_client_certificate,
        kubelet_key=kubelet_client_key,
        kubelet_ca=kubelet_certificate_authority,
        proxy_client_certificate=proxy_client_cert_file,
        proxy_client_key=proxy_client_key_file,
        aggregator_routing=enable_aggregator_routing,
        admission_enabled=_split(enable_admission_plugins),
        admission_disabled=_split(disable_admission_plugins),
        repair_seconds=180.0,
        audit=_audit_log(audit_policy_file, audit_log_path, audit_log_maxsize, audit_log_maxbackup),
        max_reads=max_requests_inflight,
        max_writes=max_mutating_requests_inflight,
        features=_asked(features, feature_gates, "--feature-gates"),
        more_kinds=_asked(more_kinds, runtime_config, "--runtime-config"),
    )
    for text in (*options.features.warnings(), *options.features.without_effect()):
        log.warning("about the feature gates", said=text)
    if options.features.is_on("MutatingAdmissionPolicy") and not options.more_kinds:
        log.warning("no version of mutating policies is served", ask_for="--runtime-config=GROUP/VERSION=true")
    try:
        check_names(options.admission_enabled, options.admission_disabled)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--enable-admission-plugins") from None
    for path in (proxy_client_cert_file, proxy_client_key_file):
        _read(path)  # a missing file shall be noticed now and not when the aggregator needs it
    etcd = EtcdTLS(ca_file=etcd_cafile, cert_file=etcd_certfile, key_file=etcd_keyfile) if etcd_cafile else None
    every, delay = _seconds(etcd_compaction_interval), _seconds(shutdown_delay_duration)

    async def main(stop: asyncio.Event) -> None:
        with _client_authorities(options) as authorities:
            tls = ServerTLS(tls_cert_file, tls_private_key_file, authorities) if tls_cert_file else None
            if storage == "memory":
                await _serve(MemoryStorage(), options, tls, bind_address, stop, delay)
                return
            async with EtcdStorage(_split(etcd_servers), tls=etcd) as store:
                measured = Measured(store)
                async with _keeping(store, measured, every):
                    await _serve(measured, options, tls, bind_address, stop, delay)

    process.run(main)


@asynccontextmanager
async def _keeping(store: EtcdStorage, measured: Measured, interval: float) -> AsyncIterator[None]:
    """Keep etcd small, and know how large it is."""
    async with asyncio.TaskGroup() as tasks:
        kept = (
            tasks.create_task(compaction.run(store, interval=interval)),
            tasks.create_task(_measure_size(store, measured)),
        )
        yield
        for task in kept:
            task.cancel()


async def _measure_size(store: EtcdStorage, measured: Measured) -> None:
    while True:
        with suppress(StorageError):  # what asks next will say so
            measured.size = (await store.status()).bytes_used
        await asyncio.sleep(_SIZE_SECONDS)


async def _serve(
    store: Storage, options: Options, tls: ServerTLS | None, host: str, stop: asyncio.Event, delay: float
) -> None:
    app = create_app(
        store,
        options,
        clock=time.time,
        random=random.SystemRandom(),
        decode=partial(foreign.decode, primary=options.primary_family),
        work=time.thread_time,
    )
    async with asyncio.TaskGroup() as tasks:
        upkeep, settling = tasks.create_task(app.run()), tasks.create_task(_settle(app))
        closing = asyncio.Event()
        tasks.create_task(_shut_down(app, stop, closing, delay))
        await serve(
            app, host=host, port=options.secure_port, tls=tls, ready=_say_ready, stop=closing, grace=_GRACE_SECONDS
        )
        upkeep.cancel()
        settling.cancel()


async def _settle(app: App) -> None:
    """Once, when the server is ready."""
    await app.wait_ready()
    collector.settle()


async def _shut_down(app: App, stop: asyncio.Event, closing: asyncio.Event, delay: float) -> None:
    """From SIGTERM to the closing of the door: not ready, out of the endpoints, serving on for a while, no streams."""
    await stop.wait()
    log.info("shutting down", serving_on_seconds=delay)
    await _leave(app)
    await asyncio.sleep(delay)
    app.end_streams()
    closing.set()


async def _leave(app: App) -> None:
    """Take this server out of the endpoints, if the store still answers."""
    try:
        async with asyncio.timeout(2):
            await app.leave()
    except TimeoutError:
        log.warning("the store did not answer: this server's endpoint is left to expire")


def _say_ready(port: int) -> None:
    log.info("serving", port=port)


def _lets_anonymous(modes: tuple[str, ...], wanted: str) -> bool:
    """Not where everybody may do everything (kubeapiserver/options/authentication.go, ApplyAuthorization)."""
    if wanted == "true" and "AlwaysAllow" in modes:
        log.warning("anonymous requests are not answered: they could do everything with the AlwaysAllow authorizer")
        return False
    return wanted == "true"


def _static_tokens(path: str) -> Mapping[str, User]:
    """The users of --token-auth-file by their tokens."""
    try:
        users, warnings = static_tokens.parse(_read(path).decode(), path)
    except (static_tokens.BadTokenFile, UnicodeDecodeError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--token-auth-file") from None
    for text in warnings:
        log.warning("about the static tokens", said=text)
    return users


def _audit_log(policy: str, path: str, max_size: int, max_backups: int) -> AuditLog | None:
    """What the --audit-* flags come to: nothing is recorded without both a policy and a file."""
    if not policy or not path:
        return None
    try:
        parsed = parse(yaml.safe_load(_read(policy)))
    except (BadPolicy, yaml.YAMLError) as error:
        raise typer.BadParameter(str(error), param_hint="--audit-policy-file") from None
    file = audit_file(path, max_size=max_size, max_backups=max_backups, clock=time.time)
    return AuditLog(parsed, file.write, time.time)


def _asked(read: Callable[[str], T], values: list[str] | None, flag: str) -> T:
    """What a flag asks for. What cannot be had shall be noticed now, and not by whoever relies on it."""
    try:
        return read(",".join(values or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=flag) from None


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read(path: str) -> bytes:
    return Path(path).read_bytes() if path else b""


def _port_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise typer.BadParameter(f"{text} is not FIRST-LAST", param_hint="--service-node-port-range")
    return int(first), int(last)


def _seconds(text: str) -> float:
    """Go's duration (`1h5m30s`), or plain seconds."""
    try:
        seconds = durations.parse(f"{text}s" if text.replace(".", "", 1).isdecimal() else text) / 1e9
    except durations.BadDuration as error:
        raise typer.BadParameter(str(error)) from None
    if seconds < 0:
        raise typer.BadParameter(f"{text} must not be negative")
    return seconds


def _address_of(bind: str) -> str:
    """The address by which others reach a server that listens on all, or on this machine's alone: of the default route.

    Source: apimachinery/pkg/util/net/interface.go (ResolveBindAddress).
    """
    try:
        address = ip_address(bind or "0.0.0.0")  # noqa: S104 - compared, not bound
    except ValueError:
        raise typer.BadParameter(f"{bind} is no IP address", param_hint="--bind-address") from None
    if not (address.is_unspecified or address.is_loopback):
        return bind
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))  # sends nothing: only asks for a route
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@contextmanager
def _client_authorities(options: Options) -> Iterator[str]:
    """One file with every CA that may have issued a client's certificate; "" when there is none."""
    bundle = b"\n".join(pem for pem in (options.client_ca, options.requestheader_ca) if pem)
    if not bundle:
        yield ""
        return
    with os.fdopen(os.memfd_create("client-ca"), "wb") as file:  # in memory: a kill leaves no file behind
        file.write(bundle)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def main() -> None:
    """The entry point."""
    command()


if __name__ == "__main__":
    main()

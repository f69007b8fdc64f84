"""Where the kubelet listens: its HTTPS API, and /healthz for whoever is on the machine."""

import asyncio

import structlog

from client.client import Client
from kubelet.configuration import Configuration
from kubelet.options import Options
from kubelet.served import ServedPods
from kubelet.server.app import NODE_LOGS, create_app
from kubelet.server.gate import ApiReviews, Gate
from serving.asgi import ASGI
from serving.health import health_app
from serving.https import ServerTLS, serve

log = structlog.get_logger("kubelet")

_RETRY = 30.0


async def start_servers(options: Options, served: ServedPods, client: Client, tasks: asyncio.TaskGroup) -> None:
    """Begin to serve: the API, and health beside it."""
    configuration, never = options.configuration, asyncio.Event()  # the task group ends the servers
    if configuration.healthz_port:
        tasks.create_task(_serve_health(configuration, health_app({"kubelet": served.check}), never))
    if not configuration.tls_cert_file:
        log.warning("no --tls-cert-file: the kubelet's API is not served")
        return
    tls = ServerTLS(configuration.tls_cert_file, configuration.tls_private_key_file, configuration.client_ca_file)
    node_logs = NODE_LOGS if configuration.system_log_handler else None
    api = create_app(served, Gate(ApiReviews(client, options.node_name)), node_logs=node_logs)

    def ready(port: int) -> None:
        log.info("serving", port=port)

    tasks.create_task(serve(api, host=configuration.address, port=configuration.port, tls=tls, ready=ready, stop=never))


async def _serve_health(configuration: Configuration, app: ASGI, never: asyncio.Event) -> None:
    """/healthz for whoever is on the machine. Pods do not depend on it: a taken port is waited for."""
    while True:
        try:
            await serve(app, host=configuration.healthz_bind_address, port=configuration.healthz_port, stop=never)
        except OSError as error:
            log.warning("cannot serve /healthz", port=configuration.healthz_port, error=str(error))
        await asyncio.sleep(_RETRY)

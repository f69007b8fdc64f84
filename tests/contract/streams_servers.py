"""A tiny API server and a kubelet server on loopback with TLS, whose "containers" are processes of this machine.

Only as much of an API as kubectl needs for exec, attach, port-forward, logs, cp and run: discovery, one pod, its node.
"""

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import fcntl
import ipaddress
import os
import pty
import struct
import termios
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import uvloop
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apimachinery.errors import ApiError, not_found
from apiserver.connect import KubeletClientConfig, connect
from apiserver.request import Request, RequestInfo
from kubelet.server.app import create_app
from kubelet.server.gate import Gate, User
from serving.asgi import header, reply_error, reply_json
from serving.https import ServerTLS, serve

NOW = dt.datetime.now(dt.UTC)


class Pki:
    """A CA and what it signs, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca")])
        ca = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.ca = self._write("ca.crt", ca.sign(self._key, hashes.SHA256()))

    def _builder(self, subject, key):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(hours=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
        )

    def _write(self, name, thing):
        path = self.folder / name
        path.write_bytes(thing.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def issue(self, name, *groups):
        """(certificate file, key file), good for 127.0.0.1 and as a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)])
        certificate = self._builder(x509.Name(parts), key).add_extension(names, False).sign(self._key, hashes.SHA256())
        key_file = self.folder / f"{name}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return self._write(f"{name}.crt", certificate), str(key_file)


class Process:
    """`Session` over a local process, with a pseudo-terminal when asked for."""

    def __init__(self, process, master=None):
        self._process, self._master = process, master
        self._pieces = asyncio.Queue(8)
        self._tasks = []
        sources = [(1, process.stdout), (2, process.stderr)] if master is None else [(1, None)]
        self._open = len(sources)
        for channel, source in sources:
            self._tasks.append(asyncio.ensure_future(self._collect(channel, source)))

    async def _collect(self, channel, source):
        while data := await (source.read(65536) if source else self._terminal()):
            await self._pieces.put((channel, data))
        self._open -= 1
        if not self._open:
            await self._pieces.put(None)

    async def _terminal(self):
        try:
            return await asyncio.to_thread(os.read, self._master, 65536)
        except OSError:
            return b""

    async def read(self):
        return await self._pieces.get()

    async def write(self, data):
        if self._master is not None:
            await asyncio.to_thread(os.write, self._master, data)
            return
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close_stdin(self):
        if self._master is None:
            self._process.stdin.close()

    async def resize(self, width, height):
        if self._master is not None:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def wait(self):
        return await self._process.wait()

    async def close(self):
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._master is not None:
            os.close(self._master)


@dataclass
class LocalPods:
    """The kubelet's door, with processes of this machine for containers."""

    folder: Path
    log: Path
    attached: str = "while read line; do echo got $line; done"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def list_pods(self):
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [POD]}

    async def running_pods(self):
        return self.list_pods()

    def container_id(self, namespace, pod, container):
        self.check_running(namespace, pod)
        if container not in ("main", "side"):
            raise ApiError(404, "NotFound", f'container not found ("{container}")')
        return f"{pod}/{container}"

    def check_running(self, namespace, pod):
        if pod != "web":
            raise ApiError(404, "NotFound", "pod does not exist")

    def container_tty(self, namespace, pod, container):
        return False

    async def exec(self, container_id, command, *, stdin, tty):
        pipe = asyncio.subprocess.PIPE
        if not tty:
            inward = pipe if stdin else asyncio.subprocess.DEVNULL
            return Process(
                await asyncio.create_subprocess_exec(
                    *command, stdin=inward, stdout=pipe, stderr=pipe, cwd=self.folder, limit=1 << 20
                )
            )
        master, slave = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *command, stdin=slave, stdout=slave, stderr=slave, cwd=self.folder, start_new_session=True
        )
        os.close(slave)
        return Process(process, master)

    async def attach(self, container_id, *, stdin, tty):
        return await self.exec(container_id, ["sh", "-c", self.attached], stdin=stdin, tty=tty)

    async def dial(self, namespace, pod, port):
        return await asyncio.open_connection("127.0.0.1", port)

    def log_path(self, namespace, pod, container, *, previous):
        if previous:
            raise ApiError(400, "BadRequest", f'previous terminated container "{container}" in pod "{pod}" not found')
        return self.log

    async def container_ended(self, namespace, pod, container):
        return self.ended.is_set()

    async def stats_summary(self):
        return {"node": {"nodeName": "node1"}, "pods": []}

    async def cadvisor_metrics(self):
        return ""

    async def resource_metrics(self):
        return ""

    def config(self):
        return {"maxPods": 110}

    async def check(self):
        return None


class FakeReviews:
    """Knows one token; allows admins everything."""

    async def user_of(self, token):
        return User("token-user", ("system:masters",)) if token == "good" else None

    async def may(self, user, verb, subresource):
        return "system:masters" in user.groups or subresource == "metrics"


def _container(name):
    return {"name": name, "image": "x", "stdin": True}


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "namespace": "default",
        "uid": "u1",
        "annotations": {"kubectl.kubernetes.io/default-container": "main"},
    },
    "spec": {"nodeName": "node1", "containers": [_container("main"), _container("side")]},
    "status": {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "containerStatuses": [{"name": n, "ready": True, "state": {"running": {}}} for n in ("main", "side")],
    },
}
RESOURCE = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}


class Objects:
    """`Lookup`."""

    def __init__(self):
        self.objects = {("pods", "default", "web"): POD}

    def get(self, kind, namespace, name):
        return self.objects.get((kind.plural, namespace, name))

    def list(self, kind, namespace=""):
        return [
            tree for (plural, where, _), tree in self.objects.items() if plural == kind.plural and where == namespace
        ]


def api_app(objects: Objects, kubelet: KubeletClientConfig):
    """The API server: token `good` may all."""

    async def app(scope, receive, send):
        try:
            await _answer(scope, receive, send, objects, kubelet)
        except ApiError as error:
            await reply_error(send, error)

    return app


async def _answer(scope, receive, send, objects, kubelet):
    if header(scope, b"authorization") != "Bearer good":
        raise ApiError(401, "Unauthorized", "Unauthorized")
    match scope["path"].strip("/").split("/"):
        case ["api"]:
            await reply_json(send, {"kind": "APIVersions", "versions": ["v1"]})
        case ["apis"]:
            await reply_json(send, {"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
        case ["api", "v1"]:
            resources = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [RESOURCE]}
            await reply_json(send, resources)
        case ["api", "v1", "namespaces", namespace, plural, name]:
            tree = objects.objects.get((plural, namespace, name))
            if tree is None:
                raise not_found("", plural, name)
            await reply_json(send, tree)
        case ["api", "v1", "namespaces", namespace, plural, name, subresource, *parts]:
            info = RequestInfo(
                is_resource=True, path=scope["path"], verb="connect", version="v1", namespace=namespace,
                plural=plural, name=name, subresource=subresource, parts=tuple(parts),
            )  # fmt: skip
            request = Request(
                scope=scope,
                method=scope["method"],
                path=scope["path"],
                query=parse_qs(scope["query_string"].decode(), keep_blank_values=True),
                headers={k.decode(): v.decode() for k, v in scope["headers"]},
                info=info,
            )
            await connect(request, receive, send, lookup=objects, kubelet=kubelet)
        case _:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")


@dataclass
class Servers:
    """What a test needs of both servers."""

    folder: Path
    pki: Pki
    objects: Objects
    pods: LocalPods
    api_port: int = 0
    kubelet_port: int = 0
    kubeconfig: str = ""

    async def kubectl(self, version, *arguments, stdin=b""):
        """(exit code, stdout, stderr) of an unmodified kubectl."""
        process = await self.start(version, *arguments)
        out, err = await asyncio.wait_for(process.communicate(stdin), 60)
        return process.returncode, out, err.decode()

    async def start(self, version, *arguments):
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            f"/usr/lib/google-cloud-sdk/bin/kubectl.{version}", "--kubeconfig", self.kubeconfig, *arguments,
            stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder,
            env=os.environ | {"HOME": str(self.folder), "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true"},
        )  # fmt: skip


@contextlib.asynccontextmanager
async def running(folder: Path):
    """Both servers, up."""
    pki, objects, stop = Pki(folder), Objects(), asyncio.Event()
    log = folder / "0.log"
    log.write_bytes(b"")
    servers = Servers(folder, pki, objects, LocalPods(folder, log))
    client_cert, client_key = pki.issue("apiserver-kubelet-client", "system:masters")
    kubelet = KubeletClientConfig(cert_file=client_cert, key_file=client_key, ca_file=pki.ca)
    async with asyncio.TaskGroup() as tasks:

        async def up(app, name):
            port = asyncio.get_running_loop().create_future()
            tls = ServerTLS(*pki.issue(name), pki.ca)
            task = tasks.create_task(
                serve(app, host="127.0.0.1", port=0, tls=tls, ready=port.set_result, stop=stop, grace=0.5)
            )
            await asyncio.wait((task, port), return_when=asyncio.FIRST_COMPLETED)
            return port.result()

        servers.kubelet_port = await up(create_app(servers.pods, Gate(FakeReviews())), "kubelet")
        servers.api_port = await up(api_app(objects, kubelet), "apiserver")
        objects.objects["nodes", "", "node1"] = node(servers.kubelet_port)
        servers.kubeconfig = str(folder / "kubeconfig")
        write_kubeconfig(servers)
        try:
            yield servers
        finally:
            stop.set()


@contextlib.contextmanager
def in_thread(opening, loop_factory=uvloop.new_event_loop):
    """What an async context manager gives, living on a loop of its own: by default uvloop's, as in production."""
    value, loop_and_stop = concurrent.futures.Future(), concurrent.futures.Future()

    async def live():
        stop = asyncio.Event()
        loop_and_stop.set_result((asyncio.get_running_loop(), stop))
        async with opening() as opened:
            value.set_result(opened)
            await stop.wait()

    def run():
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(live())
        except BaseException as error:
            if value.done():
                raise
            value.set_exception(error)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        try:
            yield value.result(60)
        finally:
            loop, stop = loop_and_stop.result(60)
            with contextlib.suppress(RuntimeError):  # the loop is over: `done` says why
                loop.call_soon_threadsafe(stop.set)
            done.result(60)


def node(port):
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}, "status": status}


def write_kubeconfig(servers):
    """The file that kubectl reads."""
    port, ca = servers.api_port, servers.pki.ca
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": ca}}],
        "users": [{"name": "test", "user": {"token": "good"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    Path(servers.kubeconfig).write_text(yaml.safe_dump(tree))


def docker_line(text, stream="stdout", time="2024-01-01T00:00:00.5Z"):
    """One line of a json-file log."""
    return msgspec.json.encode({"log": text, "stream": stream, "time": time}) + b"\n"

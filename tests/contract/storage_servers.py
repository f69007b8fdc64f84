"""Real etcd processes for the storage tests and bench/storage.py: free ports, a temporary folder, TLS on demand.

Owns starting, killing (by pid) and restarting on the same ports and data. Knows nothing about keys.
"""

import datetime as dt
import ipaddress
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.etcd_channel import EtcdTLS
from tests import needs
from tests.ports import free_port


@dataclass
class EtcdServer:
    """One etcd member on loopback; `flags` are extra ones."""

    folder: Path
    tls: bool = False
    flags: tuple[str, ...] = ()
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    process: subprocess.Popen | None = None
    _data: set[Path] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.ports[0]}"

    @property
    def credentials(self) -> EtcdTLS | None:
        pki = self.folder
        if not self.tls:
            return None
        return EtcdTLS(ca_file=str(pki / "ca.crt"), cert_file=str(pki / "client.crt"), key_file=str(pki / "client.key"))

    def storage(self, **options) -> EtcdStorage:
        return EtcdStorage([self.url], tls=self.credentials, **options)

    def start(self) -> "EtcdServer":
        """Start (again, with the same data) and wait until it answers."""
        needs.program("etcd")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._data.add(self.folder / "data")
        peer = f"http://127.0.0.1:{self.ports[1]}"
        command = [
            *needs.WITH_US,
            "etcd",
            "--name=m",
            f"--data-dir={self.folder / 'data'}",
            "--logger=zap",
            "--log-level=error",
        ]
        command += [f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"]
        command += [
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=m={peer}",
        ]
        # The tests are about our side; a machine's slow disk is not.
        command += ["--unsafe-no-fsync", "--heartbeat-interval=50", "--election-timeout=250", *self.flags]
        if self.tls:
            if not (self.folder / "ca.crt").exists():
                make_pki(self.folder)
            command += [f"--trusted-ca-file={self.folder / 'ca.crt'}", "--client-cert-auth"]
            command += [f"--cert-file={self.folder / 'server.crt'}", f"--key-file={self.folder / 'server.key'}"]
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen([c for c in command if c], stdout=out, stderr=out, cwd=self.folder)
        self._await_answer()
        return self

    def kill(self) -> None:
        """SIGKILL, as a crash does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self) -> None:
        """Kill it, and take its data away: 125 MB, even of an empty one."""
        self.kill()
        for data in self._data:
            shutil.rmtree(data, ignore_errors=True)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[0])) == 0:
                    return
            time.sleep(0.02)  # the only way to see a foreign process come up
        raise AssertionError((self.folder / "log").read_text()[-2000:])


def make_pki(folder: Path) -> None:
    """ca, server and client certificates, the least that etcd takes."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("ca", ca_key, None, None)
    _write(folder / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{name}.crt", _certificate(name, key, ca, ca_key).public_bytes(serialization.Encoding.PEM))
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        _write(folder / f"{name}.key", key.private_bytes(*pem))


def _certificate(name, key, issuer, issuer_key):
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    return builder.add_extension(loopback, critical=False).sign(issuer_key or key, hashes.SHA256())


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)

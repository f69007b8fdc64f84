"""The cluster's certificates and keys, laid out as kubeadm lays them out under `pki/`.

Three authorities (cluster, etcd, front proxy), one certificate per component, one key pair for service-account
tokens. Private keys are EC P-256, mode 0600. `ensure` makes what is missing and keeps what is there, so it may be
killed and run again; a file appears whole or not at all. Source of names and usages: kubeadm's
cmd/kubeadm/app/phases/certs.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bootstrap.spec import ClusterSpec

CA_LIFE = timedelta(days=3650)
LIFE = timedelta(days=365)
#: Clocks of machines that join may be a little behind.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate to issue: its file, its authority's file, the name it proves, what it may be used for."""

    file: str
    authority: str
    name: str
    organizations: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    server: bool = False
    client: bool = True


def leaves(spec: ClusterSpec) -> tuple[Leaf, ...]:
    """Every certificate of a one-node control plane and of its node."""
    local = ("localhost", "127.0.0.1", "::1")
    domain = spec.cluster_domain
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}")
    api = (*names, *local, spec.api_service_ip, spec.node_ip, spec.node_name)
    etcd = (*local, spec.node_ip, spec.node_name)
    node = f"system:node:{spec.node_name}"
    return (
        Leaf("apiserver", "ca", "kube-apiserver", hosts=api, server=True, client=False),
        Leaf("apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client", ("system:masters",)),
        Leaf("front-proxy-client", "front-proxy-ca", "front-proxy-client"),
        Leaf("etcd/server", "etcd/ca", spec.node_name, hosts=etcd, server=True),
        Leaf("etcd/peer", "etcd/ca", spec.node_name, hosts=etcd, server=True),
        Leaf("apiserver-etcd-client", "etcd/ca", "kube-apiserver-etcd-client"),
        Leaf("admin", "ca", "kubernetes-admin", ("system:masters",)),
        Leaf("controller-manager", "ca", "system:kube-controller-manager", hosts=local, server=True),
        Leaf("scheduler", "ca", "system:kube-scheduler", hosts=local, server=True),
        Leaf("proxy", "ca", "system:kube-proxy"),
        Leaf("dns", "ca", "system:kube-dns", ("pykube:dns",)),
        Leaf("local-path", "ca", "pykube:local-path-provisioner"),
        Leaf(f"node-{spec.node_name}", "ca", node, ("system:nodes",)),
        Leaf(f"kubelet-{spec.node_name}", "ca", node, ("system:nodes",), etcd, server=True, client=False),
    )


AUTHORITIES = (("ca", "kubernetes"), ("etcd/ca", "etcd-ca"), ("front-proxy-ca", "front-proxy-ca"))


def ensure(spec: ClusterSpec, now: datetime) -> None:
    """Makes every key and certificate that is missing. Raises OSError where the folder cannot be written."""
    (spec.pki / "etcd").mkdir(parents=True, exist_ok=True, mode=0o700)
    for file, name in AUTHORITIES:
        _ensure_authority(spec.pki / file, name, now)
    for leaf in leaves(spec):
        if not (spec.pki / f"{leaf.file}.crt").exists():
            _issue(spec.pki, leaf, now)
    if not (spec.pki / "sa.pub").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(spec.pki / "sa.key", _private_pem(key), 0o600)
        _write(
            spec.pki / "sa.pub",
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            0o644,
        )


def _ensure_authority(path: Path, name: str, now: datetime) -> None:
    if path.with_suffix(".crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _store(path, builder.sign(key, hashes.SHA256()), key)


def _issue(pki: Path, leaf: Leaf, now: datetime) -> None:
    authority = x509.load_pem_x509_certificate((pki / f"{leaf.authority}.crt").read_bytes())
    authority_key = serialization.load_pem_private_key((pki / f"{leaf.authority}.key").read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey), authority_key
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in leaf.organizations]
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, leaf.name))
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] if leaf.server else []
    usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if leaf.client else []
    builder = (
        _builder(x509.Name(attributes), authority.subject, key.public_key(), now, LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if leaf.hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(leaf.hosts)), critical=False)
    _store(pki / leaf.file, builder.sign(authority_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _store(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """The key first: a certificate without its key is never seen, and `ensure` looks at the certificate."""
    _write(Path(f"{path}.key"), _private_pem(key), 0o600)
    _write(Path(f"{path}.crt"), certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = Path(f"{path}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    temporary.rename(path)

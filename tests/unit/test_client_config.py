"""Kubeconfig files, merged and resolved as kubectl does."""

import base64
import datetime as dt
import ssl

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from client import config as c


def kubeconfig(tmp_path, name="config", user=None, cluster=None, **more):
    file = tmp_path / name
    tree = {
        "clusters": [{"name": "one", "cluster": {"server": "https://h:6443/"} | (cluster or {})}],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [{"name": "ctx", "context": {"cluster": "one", "user": "me", "namespace": "team"}}],
        "current-context": "ctx",
    }
    file.write_text(yaml.safe_dump(tree | more))
    return file


def test_the_current_context_is_used_and_paths_count_from_the_file(tmp_path):
    (tmp_path / "ca.crt").write_bytes(b"CA")
    file = kubeconfig(tmp_path, user={"client-key": "k.pem"}, cluster={"certificate-authority": "ca.crt"})
    config = c.load_kubeconfig(file)
    assert (config.server, config.namespace) == ("https://h:6443", "team")
    assert (config.ca_data, config.key_file) == (b"CA", str(tmp_path / "k.pem"))


def test_the_first_file_to_name_a_thing_wins(tmp_path, monkeypatch):
    first = kubeconfig(tmp_path, "a", user={"token": "first"})
    second = kubeconfig(tmp_path, "b", user={"token": "second"})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path}/missing:{second}")
    assert c.load_kubeconfig().token == "first"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"user": {"exec": {"command": "aws"}}}, "exec credential plugins are not supported", id="exec"),
        pytest.param({"user": {"auth-provider": {"name": "x"}}}, "auth providers are not supported", id="provider"),
        pytest.param({"contexts": []}, 'context "ctx" does not exist', id="no context"),
        pytest.param({"clusters": []}, 'cluster "one" does not exist', id="no cluster"),
        pytest.param({"users": []}, 'user "me" does not exist', id="no user"),
        pytest.param(
            {"user": {"client-key-data": "*"}}, "client-key-data in the kubeconfig is not base64", id="base64"
        ),
        pytest.param({"cluster": {"server": ""}}, "has no server", id="no server"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, change, text):
    with pytest.raises(c.ConfigError, match=text.replace("*", r"\*")):
        c.load_kubeconfig(kubeconfig(tmp_path, **change))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(c.ConfigError, match="nothing does not exist"):
        c.load_kubeconfig(tmp_path / "nothing")


def test_a_pod_finds_its_service_account(tmp_path):
    for name, text in (("token", "t"), ("ca.crt", "CA"), ("namespace", "ns")):
        (tmp_path / name).write_text(text)
    config = c.in_cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"})
    assert (config.server, config.token_file, config.namespace) == (
        "https://[fd00::1]:443",
        str(tmp_path / "token"),
        "ns",
    )
    with pytest.raises(c.ConfigError, match="unable to load in-cluster configuration"):
        c.in_cluster(tmp_path, {})


def test_inline_keys_are_used_and_leave_no_file(tmp_path, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=20000))
    cert = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    inline = {
        "client-certificate-data": base64.b64encode(cert).decode(),
        "client-key-data": base64.b64encode(pem).decode(),
    }
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    config = c.load_kubeconfig(kubeconfig(tmp_path, user=inline))
    assert isinstance(c.tls_context(config), ssl.SSLContext)
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(c.ConfigError, match="TLS data"):
        c.tls_context(c.ClientConfig(server="https://h", cert_data=cert, key_data=b"junk"))

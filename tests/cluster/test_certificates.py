"""CertificateSigningRequests on a whole cluster: asked for, approved, signed, and removed in the end."""

import base64

from cryptography import x509

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS, CONFIGMAPS, SECRETS
from apimachinery.times import rfc3339
from apiserver.authentication.bootstrap_tokens import secret_for
from controllers.bootstrap_tokens import signature
from controllers.catalog import Settings
from tests.cluster.simulation import Cluster
from tests.unit.test_controllers_certificates import CA, CA_CERTIFICATE, asked

REQUEST = {
    "apiVersion": CERTIFICATESIGNINGREQUESTS.api_version,
    "kind": CERTIFICATESIGNINGREQUESTS.kind,
    "metadata": {"name": "jane"},
}


async def test_an_approved_request_is_signed_then_forgotten():
    async with Cluster(nodes=0, settings=Settings(signing=CA)) as c:
        signer = "kubernetes.io/kube-apiserver-client"
        await c.apply({**REQUEST, "spec": {"request": asked(), "signerName": signer, "usages": ["client auth"]}})
        await c.settle()
        assert "certificate" not in (await c.get(CERTIFICATESIGNINGREQUESTS, "jane", ""))["status"]
        approval = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Fine"}]}}
        await c.client.patch(CERTIFICATESIGNINGREQUESTS, "", "jane", approval, subresource="approval")
        await c.settle()
        status = (await c.get(CERTIFICATESIGNINGREQUESTS, "jane", ""))["status"]
        made = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
        made.verify_directly_issued_by(CA_CERTIFICATE)
        await c.advance(3600 + 700)
        assert await c.get(CERTIFICATESIGNINGREQUESTS, "jane", "") is None


async def test_a_kubelets_request_is_approved_and_signed_and_a_token_signs_for_those_who_join():
    async with Cluster(nodes=0, settings=Settings(signing=CA)) as c:
        spec = {
            "request": asked("system:node:n", ["system:nodes"]),
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["client auth", "digital signature"],
        }
        await c.apply({**REQUEST, "spec": spec})
        info = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "cluster-info", "namespace": "kube-public"},
        }
        await c.apply(secret_for("abcdef.0123456789abcdef", "", rfc3339(c.clock() + 1000)))
        await c.apply({**info, "data": {"kubeconfig": "content"}})
        await c.settle()
        assert (await c.get(CERTIFICATESIGNINGREQUESTS, "jane", ""))["status"]["certificate"]
        signed = (await c.get(CONFIGMAPS, "cluster-info", "kube-public"))["data"]["jws-kubeconfig-abcdef"]
        assert signed == signature("content", "abcdef", "0123456789abcdef")
        await c.advance(1100)
        assert await c.get(SECRETS, "bootstrap-token-abcdef", "kube-system") is None
        assert (await c.get(CONFIGMAPS, "cluster-info", "kube-public"))["data"] == {"kubeconfig": "content"}

"""CertificateSigningRequests on a whole cluster: asked for, approved, signed, and removed in the end."""

import base64

from cryptography import x509

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS
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

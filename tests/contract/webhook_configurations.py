"""Webhook configurations for the tests of admission: where they are posted, and by which requests they are called."""

from tests.contract.webhook_servers import rule

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MUTATING = f"{ADMISSION}/mutatingwebhookconfigurations"
VALIDATING = f"{ADMISSION}/validatingwebhookconfigurations"
MAPS = rule("configmaps", operations=("CREATE", "UPDATE", "DELETE"))


async def validate_with(server, *hooks, name="v"):
    return await server.must("POST", VALIDATING, {"metadata": {"name": name}, "webhooks": list(hooks)})


async def mutate_with(server, *hooks, name="m"):
    return await server.must("POST", MUTATING, {"metadata": {"name": name}, "webhooks": list(hooks)})

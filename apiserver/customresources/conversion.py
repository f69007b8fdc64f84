"""Which converter a definition asks for."""

from collections.abc import Callable

from apimachinery.types import Json
from apiserver.admission.webhook_client import WebhookClient
from apiserver.customresources.transforms import Converts, Unconverted
from apiserver.customresources.webhook import WebhookConverter


def converters(client: WebhookClient, new_uid: Callable[[], str]) -> Callable[[Json], Converts]:
    """From a definition to its converter."""

    def of(tree: Json) -> Converts:
        conversion = tree["spec"].get("conversion") or {}
        webhook = conversion.get("webhook") or {}
        if conversion.get("strategy") != "Webhook" or not webhook.get("clientConfig"):
            return Unconverted()
        return WebhookConverter(client, tree["metadata"]["name"], webhook, new_uid)

    return of

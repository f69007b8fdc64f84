"""Deploys the demo (deploy/examples/web.yaml) and fetches its page through the Service, as a user would."""

from pathlib import Path

import httpx
import yaml

from apimachinery.errors import ApiError
from apimachinery.kinds import BY_KIND, DEPLOYMENTS, SERVICES
from apimachinery.types import Json
from bootstrap import images
from bootstrap.progress import Progress
from bootstrap.spec import ClusterSpec
from bootstrap.up import client, until
from client.client import Client

MANIFEST = Path(__file__).parent.parent / "deploy/examples/web.yaml"
NAMESPACE = "default"
WITHIN = 120.0


async def deploy(spec: ClusterSpec, progress: Progress) -> str:
    """Builds the image, applies the manifest, waits for the rollout, fetches the page; the Service's URL."""
    with progress.step("Demo image") as step:
        step.result = images.WEB if images.build_web(spec) else "already there"
    async with client(spec) as api:
        with progress.step("Demo deployed"):
            for body in yaml.safe_load_all(MANIFEST.read_text()):
                await _create(api, body)
        with progress.step("Three web pods ready") as step:
            step.result = await _wait_rollout(api)
        with progress.step("Page fetched through the Service") as step:
            service = await api.get(SERVICES, NAMESPACE, "web")
            url = f"http://{service['spec']['clusterIP']}"
            step.result = f"{url}  {await _fetch(url)}"
    return url


async def _create(api: Client, body: Json) -> None:
    try:
        await api.create(BY_KIND[body["apiVersion"], body["kind"]], body, namespace=NAMESPACE)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


async def _wait_rollout(api: Client) -> str:
    async def rolled_out() -> str | None:
        deployment = await api.get(DEPLOYMENTS, NAMESPACE, "web")
        wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
        current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        ready = status.get("updatedReplicas", 0) >= wanted and status.get("availableReplicas", 0) >= wanted
        return f"{wanted} of {wanted}" if current and ready else None

    return await until(rolled_out, WITHIN, lambda: "The demo's pods did not become ready: see 'kubectl describe pods'.")


async def _fetch(url: str) -> str:
    async with httpx.AsyncClient(timeout=2) as http:

        async def page() -> str | None:
            try:
                answer = await http.get(url)
            except httpx.TransportError:
                return None
            return answer.text if answer.status_code == 200 else None

        text = await until(page, 30, lambda: f"{url} does not answer: see 'pykubeadm logs proxy'.")
    return text.partition("<h1>")[2].partition("</h1>")[0] or text.strip()[:60]

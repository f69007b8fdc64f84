"""Which image a container gets: pull policies, references, credentials, back-off. The pure half and a thin shell.

Wording of events and reasons: pkg/kubelet/images/image_manager.go, pkg/credentialprovider.
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Secret
from kubelet.pods.backoff import Backoff, advance, ready_at
from kubelet.pods.world import Failure
from kubelet.runtime.protocol import ContainerRuntime, Image, RuntimeError_

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:(?:{_DOMAIN})/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{{32,}})?"
)
_HUB = "https://index.docker.io/v1/"
_AT_ONCE = 5  # pulls side by side

Event = Callable[[str, str, str], None]  # type, reason, message


class ImageProblem(Exception):
    """The image is not to be had now."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def valid(image: str) -> bool:
    return _REFERENCE.fullmatch(image) is not None


def policy(container: core_v1.Container | core_v1.EphemeralContainer) -> str:
    """The pull policy; the default follows the tag, as the API server's does."""
    if container.image_pull_policy:
        return container.image_pull_policy
    name = container.image.rpartition("/")[2]
    latest = "@" not in name and (":" not in name or name.endswith(":latest"))
    return "Always" if latest else "IfNotPresent"


def registry(image: str) -> str:
    """The host that an image comes from; Docker Hub's is what its credentials are filed under."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else _HUB


def credentials(image: str, secrets: Iterable[Secret]) -> Mapping[str, str] | None:
    """The first user and password in the pull secrets that fit the image's registry."""
    host = registry(image)
    for secret in secrets:
        for name, entry in _entries(secret).items():
            bare = name.removeprefix("https://").removeprefix("http://").rstrip("/")
            if host in (name, bare) or f"{image}/".startswith(f"{bare}/") or _is_hub(name, host):
                return _decoded(entry)
    return None


def _is_hub(name: str, host: str) -> bool:
    return host == _HUB and "docker.io" in name


def _entries(secret: Secret) -> Mapping[str, Mapping[str, str]]:
    try:
        if ".dockerconfigjson" in secret.data:
            found = json.loads(secret.data[".dockerconfigjson"])["auths"]
        else:
            found = json.loads(secret.data.get(".dockercfg", b"{}"))
    except (ValueError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(entry: Mapping[str, str]) -> Mapping[str, str]:
    if "auth" in entry:
        user, _, password = base64.b64decode(entry["auth"]).decode(errors="replace").partition(":")
        return {"username": user, "password": password}
    return {"username": entry.get("username", ""), "password": entry.get("password", "")}


def size_words(seconds: float) -> str:
    """A duration as Go prints it, in milliseconds' precision: `812ms`, `1.204s`."""
    return f"{round(seconds * 1000)}ms" if seconds < 1 else f"{round(seconds, 3):g}s"


class Images:
    """Makes sure that a container's image is on the node."""

    def __init__(self, runtime: ContainerRuntime, *, clock: Callable[[], float] = time.time) -> None:
        self._runtime, self._clock = runtime, clock
        self._backoff: dict[tuple[str, str], tuple[Backoff, float, str]] = {}  # uid, image -> memory, failed at, error
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._one: dict[str, asyncio.Lock] = {}

    async def ensure(
        self,
        uid: str,
        container: core_v1.Container | core_v1.EphemeralContainer,
        *,
        secrets: Iterable[Secret],
        event: Event,
    ) -> Image:
        """The image; raises ImageProblem."""
        name, asked = container.image, policy(container)
        if not valid(name):
            text = f'couldn\'t parse image name "{name}": invalid reference format'
            event("Warning", "InspectFailed", f'Failed to apply default image tag "{name}": {text}')
            raise self._problem("InvalidImageName", f'Failed to apply default image tag "{name}": {text}')
        present = await self._runtime.image(name)
        if present is not None and asked != "Always":
            event("Normal", "Pulled", f'Container image "{name}" already present on machine')
            return present
        if asked == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            event("Warning", "ErrImageNeverPull", message)
            raise self._problem("ErrImageNeverPull", message)
        self._wait_turn(uid, name, event)
        return await self._pull(uid, name, credentials(name, secrets), event)

    def _problem(self, reason: str, message: str) -> ImageProblem:
        return ImageProblem(Failure(reason, message, self._clock() + 10))

    def _wait_turn(self, uid: str, name: str, event: Event) -> None:
        held = self._backoff.get((uid, name))
        if held is None:
            return
        memory, failed_at, error = held
        since = ready_at(memory, failed_at)
        if since > self._clock():
            event("Normal", "BackOff", f'Back-off pulling image "{name}"')
            message = f'Back-off pulling image "{name}": ErrImagePull: {error}'
            raise ImageProblem(Failure("ImagePullBackOff", message, since))

    async def _pull(self, uid: str, name: str, auth: Mapping[str, str] | None, event: Event) -> Image:
        event("Normal", "Pulling", f'Pulling image "{name}"')
        asked = self._clock()
        async with self._one.setdefault(name, asyncio.Lock()), self._turn:
            began = self._clock()
            try:
                await self._runtime.pull(name, auth)
                image = await self._runtime.image(name)
                assert image is not None, "a pull gives an image or an error"
            except RuntimeError_ as error:
                now = self._clock()
                memory = self._backoff.get((uid, name), (None, now, ""))[0]
                self._backoff[uid, name] = (advance(memory, now, now), now, str(error))
                event("Warning", "Failed", f'Failed to pull image "{name}": {error}')
                raise ImageProblem(Failure("ErrImagePull", str(error), now + 1)) from error
        self._backoff.pop((uid, name), None)
        took, waited = size_words(self._clock() - began), size_words(self._clock() - asked)
        told = f'Successfully pulled image "{name}" in {took} ({waited} including waiting).'
        event("Normal", "Pulled", f"{told} Image size: {image.size} bytes.")
        return image

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._backoff if key[0] == uid]:
            del self._backoff[key]

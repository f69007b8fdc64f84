"""Which image a container gets: pull policies, references, back-off, and who pulls when. Pure but for `Images`.

Wording of events and reasons: pkg/kubelet/images/image_manager.go. Whose credentials: keyring.py.
"""

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Secret
from kubelet.pods.backoff import Backoff, advance, ready_at
from kubelet.pods.keyring import Auth, Keyring, candidates, of_secrets
from kubelet.pods.world import Failure
from kubelet.runtime.protocol import ContainerRuntime, Image, RuntimeError_

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:(?:{_DOMAIN})/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{{32,}})?"
)

Event = Callable[[str, str, str], None]  # type, reason, message
Keyrings = Callable[[str], Awaitable[Sequence[Keyring]]]  # what the node has for an image


async def _no_keyrings(_image: str) -> Sequence[Keyring]:
    return ()


def _unheard(_image: Image) -> None:
    return None


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


def canonical(image: str) -> str:
    """With the registry that a short name means: `nginx` is `docker.io/library/nginx`."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def size_words(seconds: float) -> str:
    """A duration as Go prints it, in milliseconds' precision: `812ms`, `1.204s`."""
    return f"{round(seconds * 1000)}ms" if seconds < 1 else f"{round(seconds, 3):g}s"


class Images:
    """Makes sure that a container's image is on the node."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        keyrings: Keyrings = _no_keyrings,
        pulled: Callable[[Image], None] = _unheard,
        at_once: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`keyrings` are asked after the pod's secrets; `pulled` hears of every image that was fetched.

        `at_once` is how many may be fetched side by side, 0 for any number.
        """
        self._runtime, self._keyrings, self._pulled, self._clock = runtime, keyrings, pulled, clock
        self._backoff: dict[tuple[str, str], tuple[Backoff, float, str]] = {}  # uid, image -> memory, failed at, error
        self._turn = asyncio.Semaphore(at_once or sys.maxsize)
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
        repository = canonical(name)
        auths = candidates(repository, [of_secrets(secrets), *await self._keyrings(repository)])
        return await self._pull(uid, name, auths, event)

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

    async def _pull(self, uid: str, name: str, auths: Sequence[Auth], event: Event) -> Image:
        event("Normal", "Pulling", f'Pulling image "{name}"')
        asked = self._clock()
        async with self._one.setdefault(name, asyncio.Lock()), self._turn:
            began = self._clock()
            try:
                await self._fetch(name, auths)
                image = await self._runtime.image(name)
                assert image is not None, "a pull gives an image or an error"
            except RuntimeError_ as error:
                now = self._clock()
                memory = self._backoff.get((uid, name), (None, now, ""))[0]
                self._backoff[uid, name] = (advance(memory, now, now), now, str(error))
                event("Warning", "Failed", f'Failed to pull image "{name}": {error}')
                raise ImageProblem(Failure("ErrImagePull", str(error), now + 1)) from error
        self._backoff.pop((uid, name), None)
        self._pulled(image)
        took, waited = size_words(self._clock() - began), size_words(self._clock() - asked)
        told = f'Successfully pulled image "{name}" in {took} ({waited} including waiting).'
        event("Normal", "Pulled", f"{told} Image size: {image.size} bytes.")
        return image

    async def _fetch(self, name: str, auths: Sequence[Auth]) -> None:
        """With each credential in turn until one will do. Raises RuntimeError_."""
        if not auths:
            await self._runtime.pull(name)
            return
        refusals = []
        for auth in auths:
            try:
                await self._runtime.pull(name, auth)
            except RuntimeError_ as error:
                refusals.append(str(error))
            else:
                return
        refusals = list(dict.fromkeys(refusals))
        raise RuntimeError_(refusals[0] if len(refusals) == 1 else f"[{', '.join(refusals)}]")

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._backoff if key[0] == uid]:
            del self._backoff[key]

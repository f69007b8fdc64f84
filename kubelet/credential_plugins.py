"""Credentials from programs of the node: upstream's credential provider plugins, asked for each image that they match.

The answer is cached for as long as it says, under the image, its registry, or for everything.
Source: pkg/credentialprovider/plugin/plugin.go; the files are CredentialProviderConfig (kubelet.config.k8s.io/v1).
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import yaml

from apimachinery.types import Json
from kubelet.pods.keyring import Keyring, keyring, matches

log = structlog.get_logger("kubelet.credentials")

_VERSIONS = ("credentialprovider.kubelet.k8s.io/v1",)
_PATIENCE = 60.0
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class PluginProblem(Exception):
    """A provider's program failed, or said something else than it should."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One entry of the configuration."""

    name: str
    images: Sequence[str]
    cache: float  # seconds, where the answer does not say
    version: str
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def duration(text: str) -> float:
    """Seconds of a Go duration: `1h30m`, `0s`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def read(text: str) -> list[Provider]:
    """The providers of a CredentialProviderConfig. Raises ValueError."""
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != "CredentialProviderConfig":
        raise ValueError("not a CredentialProviderConfig")
    return [_provider(entry) for entry in found.get("providers") or ()]


def read_file(path: str) -> list[Provider]:
    """Those of a file; none for "". Raises ValueError."""
    try:
        return read(Path(path).read_text()) if path else []
    except OSError as error:
        raise ValueError(str(error)) from error


def _provider(entry: Json) -> Provider:
    name, version = entry.get("name", ""), entry.get("apiVersion", "")
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"provider name {name!r} must be the name of a program")
    if version not in _VERSIONS:
        raise ValueError(f"provider {name}: apiVersion {version!r} is not one of {', '.join(_VERSIONS)}")
    if not entry.get("matchImages"):
        raise ValueError(f"provider {name}: matchImages is required")
    return Provider(
        name=name,
        images=tuple(entry["matchImages"]),
        cache=duration(str(entry.get("defaultCacheDuration") or "0s")),
        version=version,
        args=tuple(entry.get("args") or ()),
        env={each["name"]: each.get("value", "") for each in entry.get("env") or ()},
    )


class Plugins:
    """The node's providers, with what they have said."""

    def __init__(
        self, providers: Sequence[Provider] = (), folder: Path = Path(), *, clock: Callable[[], float] = time.time
    ) -> None:
        self._providers, self._folder, self._clock = providers, folder, clock
        self._cache: dict[tuple[str, str], tuple[float, Keyring]] = {}
        self._one: dict[tuple[str, str], asyncio.Lock] = {}

    async def keyrings(self, image: str) -> list[Keyring]:
        """What the providers have for the image; one that fails is passed over."""
        found = []
        for provider in self._providers:
            if any(matches(pattern, image) for pattern in provider.images):
                try:
                    async with self._one.setdefault((provider.name, image), asyncio.Lock()):  # pods come in numbers
                        found.append(await self._ask(provider, image))
                except (PluginProblem, OSError, ValueError) as error:
                    log.warning("a credential provider failed", provider=provider.name, error=str(error))
        return found

    async def _ask(self, provider: Provider, image: str) -> Keyring:
        now = self._clock()
        for known_at in (image, _registry(image), ""):
            until, known = self._cache.get((provider.name, known_at), (0.0, Keyring()))
            if now < until:
                return known
        answer = await _run(provider, self._folder / provider.name, image)
        ring = keyring(answer.get("auth") or {})
        said = answer.get("cacheDuration")
        kept = provider.cache if said is None else duration(said)
        place = {"Image": image, "Registry": _registry(image), "Global": ""}.get(answer.get("cacheKeyType", ""))
        if place is None:
            raise PluginProblem(f"cacheKeyType {answer.get('cacheKeyType')!r} is not Image, Registry or Global")
        if kept > 0:
            self._cache = {key: value for key, value in self._cache.items() if now < value[0]}
            self._cache[provider.name, place] = (now + kept, ring)
        return ring


def _registry(image: str) -> str:
    return image.partition("/")[0]


async def _run(provider: Provider, program: Path, image: str) -> Json:
    request = {"kind": "CredentialProviderRequest", "apiVersion": provider.version, "image": image}
    process = await asyncio.create_subprocess_exec(
        program,
        *provider.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ) | dict(provider.env),
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            output, errors = await process.communicate(json.dumps(request).encode())
    except TimeoutError as error:
        process.kill()
        raise PluginProblem("it took longer than a minute") from error
    if process.returncode:
        raise PluginProblem(f"exit status {process.returncode}: {errors.decode(errors='replace').strip()}")
    answer: Any = json.loads(output)
    if not isinstance(answer, dict) or answer.get("kind") != "CredentialProviderResponse":
        raise PluginProblem("the answer is not a CredentialProviderResponse")
    return answer

"""AppArmor profiles that old clients ask for by annotations: they become the fields that are read today.

Source: pkg/registry/core/pod/strategy.go applyAppArmorVersionSkew, pkg/api/pod ApparmorFieldForAnnotation.
"""

from collections.abc import Callable

from apimachinery.types import Json
from apiserver.strategies.pod import security

PREFIX = "container.apparmor.security.beta.kubernetes.io/"
_DEFAULT, _UNCONFINED, _LOCAL = "runtime/default", "unconfined", "localhost/"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def sync(pod: Json, warn: Callable[[str], None]) -> None:
    """Give each container without a profile the one of its annotation, and say that annotations are of the past."""
    spec, annotations = pod["spec"], pod["metadata"].get("annotations") or {}
    if (spec.get("os") or {}).get("name") == "windows" or not any(key.startswith(PREFIX) for key in annotations):
        return
    of_pod = (spec.get("securityContext") or {}).get("appArmorProfile")
    for container in (container for name in _CONTAINERS for container in spec.get(name) or ()):
        key, context = f"{PREFIX}{container.get('name', '')}", container.get("securityContext") or {}
        if key not in annotations or context.get("appArmorProfile") is not None:
            continue
        profile = profile_of(annotations[key])
        if profile is not None and profile == of_pod:
            continue
        if profile is not None:
            container["securityContext"] = {**context, "appArmorProfile": profile}
        warn(f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead')


def profile_of(text: str) -> Json | None:
    """The field that means the same as an annotation; None where there is none that is valid."""
    if text == _DEFAULT:
        return {"type": "RuntimeDefault"}
    if text == _UNCONFINED:
        return {"type": "Unconfined"}
    name = text.removeprefix(_LOCAL)
    if name == text or not name:
        return None
    profile = {"type": "Localhost", "localhostProfile": name}
    return None if [*security.app_armor_profile("", profile)] else profile

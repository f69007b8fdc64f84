"""--feature-gates and --runtime-config: upstream's names are known, and what cannot be had is refused at the start.

This server has no switches of its own: a feature is there or it is not, as v1.34 has it by default. So a setting that
asks for what is there passes, one that asks for anything else ends with a clear error in place of a server that is not
what was asked for. Names and defaults are in feature_gates.yaml.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

import yaml

#: What stands for many API versions at once, and whether those are served.
_STAGES: Mapping[str, bool] = {"api/ga": True, "api/beta": False, "api/alpha": False}
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@lru_cache(maxsize=1)
def gates() -> Mapping[str, bool]:
    """Every gate that v1.34 knows, and whether it is on."""
    text = files(__package__).joinpath("feature_gates.yaml").read_text()
    by_state: dict[bool, str] = yaml.load(text, Loader=yaml.CSafeLoader)  # "on" and "off" are YAML's booleans
    return {name: state for state, names in by_state.items() for name in names.split()}


def check_gates(text: str) -> None:
    """Raise ValueError unless every gate of `A=true,kube:B=false` is known and set to what holds here."""
    for name, value in _settings(text):
        gate = name.removeprefix("kube:")
        if gate not in gates():
            raise ValueError(f"unrecognized feature gate: {gate}")
        wanted = _boolean(gate, value)
        if wanted != gates()[gate]:
            text = "true" if wanted else "false"
            raise ValueError(f"cannot set feature gate {gate} to {text}, this server has no switch for it")


def check_versions(text: str, served: Iterable[tuple[str, str]]) -> None:
    """Raise ValueError unless every `group/version=true|false` asks for what is served: (group, version) pairs."""
    versions = {f"{group}/{version}" if group else version for group, version in served}
    groups = {version.rpartition("/")[0] for version in versions}
    for name, value in _settings(text):
        if name not in _STAGES and name.rpartition("/")[0] not in groups:
            raise ValueError(f"unknown api groups {name.rpartition('/')[0] or name}")
        is_served = _STAGES.get(name, name in versions)
        if _boolean(name, value or "true") != is_served:
            fact = "always serves it" if is_served else "does not serve it"
            raise ValueError(f"cannot set {name} to {value or 'true'}: this server {fact}")


def _settings(text: str) -> list[tuple[str, str]]:
    pairs = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _boolean(name: str, value: str) -> bool:
    if value not in (*_TRUE, *_FALSE):
        raise ValueError(f'invalid value of {name}={value}, err: strconv.ParseBool: parsing "{value}": invalid syntax')
    return value in _TRUE

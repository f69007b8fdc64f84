"""Our field management against upstream's: writes by several managers, with the answers of the real field manager.

The answers were recorded once from k8s.io/apimachinery v0.34.1 (managedfields.NewDefaultFieldManager and its variant
for custom resources) over structured-merge-diff v6.3.0, with Kubernetes' own scheme and OpenAPI for the built-in kinds.
"""

import gzip
import json
from pathlib import Path

import pytest

from apimachinery import conversion, kinds
from apimachinery.apply import blanks, fieldset, types
from apimachinery.apply.ownership import Ownership, without_entries
from apimachinery.apply.updates import NoVersion
from apimachinery.errors import ApiError
from apimachinery.trees import without_nulls

ANSWERS = json.loads(gzip.decompress(Path(__file__).with_name("apply_answers.json.gz").read_bytes()))
SCHEMA = types.Compiler(types.definition).fill(types.Type(), ANSWERS["schema"], is_open=False)
NOW = "2020-01-01T00:00:00Z"


class Custom:
    """A custom resource, or one without a schema."""

    def __init__(self, kind):
        self.kind = kind

    def type_of(self, _version):
        return self.kind

    def convert(self, tree, _version):
        return tree


class BuiltIn:
    """A built-in kind in all its versions."""

    def __init__(self, name):
        self.name = name

    def row(self, version):
        if (version, self.name) not in kinds.BY_KIND:
            raise NoVersion
        return kinds.BY_KIND[version, self.name]

    def type_of(self, version):
        return types.built_in(self.row(version))

    def convert(self, tree, version):
        kind = self.row(version)
        return tree if tree["apiVersion"] == version else conversion.convert(without_nulls(tree), kind)


def rules(scenario, step):
    version, kind = step["version"], step["kind"]
    if scenario["schema"] == "built-in":
        versions = BuiltIn(kind)
        blank = blanks.blank(versions.row(version))
    else:
        versions = Custom(types.DEDUCED if scenario["schema"] == "deduced" else SCHEMA)
        blank = {"apiVersion": version, "kind": kind}
    reset = {version: fieldset.of([tuple(path) for path in step["reset"]])}
    return Ownership(versions, kind, version, blank, step.get("subresource", ""), reset)


def shown(entries):
    """Entries in an order that does not depend on the time, which was another one when the answers were made."""
    rows = [{**{k: v for k, v in e.items() if k not in ("time", "timed")}, "timed": timed(e)} for e in entries]
    return sorted(rows, key=lambda e: (e["operation"], e["manager"], e["apiVersion"], e.get("subresource", "")))


def timed(entry):
    return entry.get("timed", "time" in entry)


def stored(step):
    """The object as upstream has it after a step."""
    tree = {**step["result"], "metadata": {**step["result"]["metadata"]}}
    entries = [
        {k: v for k, v in e.items() if k != "timed"} | ({"time": NOW} if e["timed"] else {}) for e in step["managed"]
    ]
    return {**tree, "metadata": {**tree["metadata"], "managedFields": entries}} if entries else tree


@pytest.mark.parametrize("scenario", ANSWERS["scenarios"], ids=lambda scenario: scenario["name"])
def test_as_upstream(scenario):
    live, is_custom = None, scenario["schema"] != "built-in"
    for step in scenario["steps"]:
        rule = rules(scenario, step)
        served = rule.versions.convert(live, step["version"]) if live is not None else None
        sent = {"apiVersion": step["version"], "kind": step["kind"], **step["object"]}
        try:
            if step["op"] == "apply":
                made = rule.apply(served, sent, step["manager"], NOW, force=step.get("force", False))
                entries = made["metadata"].get("managedFields", [])
                if is_custom:
                    assert without_entries(made) == step["result"]
            else:
                entries = rule.update(served, sent if is_custom else step["result"], step["manager"], NOW)
        except ApiError as error:
            assert sorted(error.message.split("\n")) == sorted(step["error"].split("\n"))  # noqa: PT017  (of either way)
            continue
        assert "error" not in step
        expected, found = shown(step["managed"]), shown(entries)
        assert found == expected
        if not is_custom:  # there upstream writes the steps in their own order; of custom resources, in that of texts
            assert [json.dumps(e["fieldsV1"]) for e in found] == [json.dumps(e["fieldsV1"]) for e in expected]
        live = stored(step)

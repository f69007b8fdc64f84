"""What is refused of a CustomResourceDefinition: compared with upstream's own answers, and the rules those do not show.

`definition_answers.json` holds random definitions, some with what they were before an update, and every problem that
apiextensions-apiserver v0.34.1 finds.
"""

import json
from pathlib import Path

import pytest

from apimachinery import kinds, names, schema
from apimachinery.meta import check_metadata
from apimachinery.trees import copied
from apiserver.customresources import naming
from apiserver.strategies.definitions import strategy
from tests.contract.custom_resources import crd, version

CASES = json.loads((Path(__file__).parent / "definition_answers.json").read_text())
NOW = 1_700_000_000.0


def decoded(tree):
    made, _ = schema.decode_object(kinds.CUSTOMRESOURCEDEFINITIONS, copied(tree), strict=False)
    return strategy.default(made)


def problems(new, old=None):
    before = decoded(old) if old is not None else None
    tree = decoded(new)
    kind = kinds.CUSTOMRESOURCEDEFINITIONS
    found = check_metadata(kind, tree, before, names.subdomain_name, standard_finalizers=False)
    return [str(problem) for problem in [*found, *strategy.check(tree, before)]]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_as_upstream_answers(case):
    assert sorted(set(problems(case["crd"], case.get("old")))) == case["answer"]


def test_a_sound_definition_has_no_problems():
    assert problems(crd()) == []


def test_problems_of_a_schema_shared_by_all_versions_lie_at_the_top():
    bad = {"type": "object", "properties": {"spec": {"properties": {"a": {"type": "string"}}}}}
    path = "openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"
    assert problems(crd(versions=[version(schema=bad)])) == [f"spec.validation.{path}"]
    two = [version(schema=bad), version("v2", storage=False)]
    assert problems(crd(versions=two)) == [f"spec.versions[0].schema.{path}"]


def test_names_are_fixed_once_established():
    old = crd()
    old["status"] = {"conditions": [{"type": "Established", "status": "True"}], "storedVersions": ["v1"]}
    new = copied(old)
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Gadget"
    assert problems(new, old) == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Gadget": field is immutable',
    ]


def test_what_was_broken_may_stay_broken():
    old = crd(versions=[version(schema={"type": "object", "properties": {"a": {}}})], preserveUnknownFields=True)
    old["status"] = {"storedVersions": ["v1"]}
    new = copied(old)
    new["spec"]["names"]["shortNames"] = ["wd"]
    assert problems(new, old) == []


def test_a_stored_version_cannot_go():
    new = crd(versions=[version("v2")])
    new["status"] = {"storedVersions": ["v1", "v2"]}
    assert problems(new, crd(versions=[version("v1"), version("v2", storage=False)])) == [
        ('status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage '
        "version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 "
        "and removes v1 from status.storedVersions")
    ]  # fmt: skip


def test_unknown_formats_are_warned_of_when_they_are_new():
    odd = {"type": "object", "properties": {"a": {"type": "string", "format": "semver"}}}
    new = decoded(crd(versions=[version(schema=odd)]))
    assert strategy.warnings(new, None) == ['unrecognized format "semver"']
    assert strategy.warnings(new, new) == []


def test_schemas_keep_what_their_go_type_keeps():
    odd = {"type": "object", "additionalProperties": {"type": "string", "whatever": 1, "minLength": 0}}
    tree = decoded(crd(versions=[version(schema={"type": "object", "properties": {"a": odd}})]))
    kept = tree["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["a"]
    assert kept["additionalProperties"] == {"type": "string", "minLength": 0}


def with_rule(rule, **more):
    spec = {"type": "object", "properties": {"a": {"type": "integer"}}, "x-kubernetes-validations": [rule], **more}
    return crd(versions=[version(schema={"type": "object", "properties": {"spec": spec}})])


def test_rules_are_compiled_with_the_types_of_their_place():
    where = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]"
    assert problems(with_rule({"rule": "self.a > 1"})) == []
    (found,) = problems(with_rule({"rule": "self.b > 1"}))
    assert found.startswith(f'{where}.rule: Invalid value: {{"Rule":"self.b \\u003e 1","Message":"",')
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'b'" in found
    (found,) = problems(with_rule({"rule": "self.a"}))
    assert found.endswith("cel expression must evaluate to a bool")
    (found,) = problems(with_rule({"rule": "self.a > 1", "messageExpression": "self.a"}))
    assert found.endswith("messageExpression must evaluate to a string")
    assert problems(with_rule({"rule": "self.a > 1", "optionalOldSelf": True})) == [
        f"{where}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"
    ]


def test_old_values_are_compared_only_where_they_correlate():
    item = {"type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    listed = {"type": "object", "properties": {"l": {"type": "array", "maxItems": 9, "items": item}}}
    (found,) = problems(crd(versions=[version(schema=listed)]))
    assert found.endswith(
        "oldSelf cannot be used on the uncorrelatable portion of the schema within "
        "spec.validation.openAPIV3Schema.properties[l]"
    )


def accepted(tree, *others):
    return naming.named(tree, others, NOW)


def test_names_come_one_step_before_established():
    tree = accepted(decoded(crd()))
    assert [(c["type"], c["status"], c["reason"]) for c in tree["status"]["conditions"]] == [
        ("NamesAccepted", "True", "NoConflicts"),
        ("Established", "False", "Installing"),
    ]
    assert accepted(tree) is tree
    tree = naming.established(tree, NOW)
    assert tree["status"]["conditions"][1]["reason"] == "InitialNamesAccepted"
    assert naming.established(tree, NOW) is tree


def test_who_was_first_keeps_a_name():
    first = accepted(decoded(crd(names={"shortNames": ["wd", "w"]})))
    second = accepted(decoded(crd("wheels", "Wheel", names={"shortNames": ["w", "wd"]})), first)
    condition = second["status"]["conditions"][0]
    assert (condition["reason"], condition["message"]) == (
        "ShortNamesConflict",
        '["w" is already in use, "wd" is already in use]',
    )
    assert second["status"]["acceptedNames"] == {
        "plural": "wheels",
        "singular": "wheel",
        "kind": "Wheel",
        "listKind": "WheelList",
    }
    assert naming.established(second, NOW) is second


def test_protected_groups_say_whether_they_are_approved():
    tree = decoded(crd(group="x.k8s.io"))
    assert problems(tree) == [
        (
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "
            'annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111'
        )
    ]
    tree["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    assert problems(tree) == []
    condition = naming.approved(tree, NOW)["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "KubernetesAPIApprovalPolicyConformant",
        "False",
        "UnapprovedAnnotation",
    )


def test_a_broken_bundle_keeps_a_definition_from_being_established():
    webhook = {"clientConfig": {"url": "https://a/b", "caBundle": "Ym9ndXM="}, "conversionReviewVersions": ["v1"]}
    tree = decoded(crd(conversion={"strategy": "Webhook", "webhook": webhook}))
    assert problems(tree) == []
    condition = naming.established(accepted(tree), NOW)["status"]["conditions"][1]
    assert (condition["status"], condition["reason"]) == ("False", "InvalidCABundle")

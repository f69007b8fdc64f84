"""What is said of objects that are taken though part of them is out of date."""

import pytest

from apiserver.strategies import object_warnings

OLD = "volume.beta.kubernetes.io/storage-class"
ARCH = 'deprecated since v1.14; use "kubernetes.io/arch" instead'
TERMS = "spec.nodeAffinity.required.nodeSelectorTerms"
EITHER = 'in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)'
EXPRESSION = {"key": "beta.kubernetes.io/arch", "operator": "In", "values": ["amd64"]}


def tree(annotations=(), **parts):
    return {"metadata": {"annotations": dict.fromkeys(annotations, "x")}, **parts}


@pytest.mark.parametrize(
    ("warn", "given", "said"),
    [
        ("volume", tree(spec={"persistentVolumeReclaimPolicy": "Retain", "csi": {}}), []),
        (
            "volume",
            tree([OLD], spec={"persistentVolumeReclaimPolicy": "Recycle", "storageos": {}}),
            [
                f'metadata.annotations[{OLD}]: deprecated since v1.8; use "storageClassName" attribute instead',
                f"spec.persistentVolumeReclaimPolicy: {object_warnings._RECYCLES}",
                "spec.storageOS: deprecated in v1.22, non-functional in v1.25+",
            ],
        ),
        (
            "volume",
            tree(spec={"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [EXPRESSION]}]}}}),
            [f"{TERMS}[0].matchExpressions[0].key: beta.kubernetes.io/arch is {ARCH}"],
        ),
        ("claim", tree(spec={"resources": {"requests": {"storage": "1Gi"}}}), []),
        (
            "claim",
            tree(spec={"resources": {"requests": {"storage": "1500m"}}}),
            ['spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'],
        ),
        (
            "network_policy",
            tree(spec={"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]}),
            [f'spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous {EITHER}'],
        ),
        (
            "storage_class",
            tree(allowedTopologies=[{"matchLabelExpressions": [EXPRESSION]}]),
            [f"allowedTopologies[0].matchLabelExpressions[0].key: {ARCH}"],
        ),
        (
            "runtime_class",
            tree(scheduling={"nodeSelector": {"beta.kubernetes.io/arch": "amd64"}}),
            [f"scheduling.nodeSelector: {ARCH}"],
        ),
    ],
)
def test_what_is_out_of_date(warn, given, said):
    assert getattr(object_warnings, warn)(given, None) == said


def test_an_annotation_is_told_of_when_it_comes():
    set_now = tree(["kubernetes.io/enforce-mountable-secrets"])
    assert len(object_warnings.service_account(set_now, tree())) == 1
    assert object_warnings.service_account(set_now, set_now) == []
    assert object_warnings.service_account(tree(), None) == []

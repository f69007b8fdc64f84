"""The standards for pods' security, by the minor version that a namespace pins: what each forbids, in upstream's words."""

import pytest

from apiserver.admission.pod_security_checks import violations


def pod(context=None, annotations=None, **spec):
    container = {"name": "c", "image": "i", **({"securityContext": context} if context else {})}
    return {"metadata": {"annotations": annotations or {}}, "spec": {"containers": [container], **spec}}


def reasons(level, tree, version="latest"):
    return [text.partition(" (")[0] for text in violations(level, tree, version)]


UNCONFINED = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
SYSCTL = {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.0", ["runAsNonRoot != true"]),
        ("v1.8", ["allowPrivilegeEscalation != false", "runAsNonRoot != true"]),
        ("v1.19", ["allowPrivilegeEscalation != false", "runAsNonRoot != true", "seccompProfile"]),
        (
            "v1.22",
            [
                "allowPrivilegeEscalation != false",
                "unrestricted capabilities",
                "runAsNonRoot != true",
                "seccompProfile",
            ],
        ),
    ],
)
def test_the_restricted_standard_grew(version, expected):
    assert reasons("restricted", pod(), version) == expected


def test_root_is_refused_since_1_23():
    root = pod({"runAsUser": 0})
    assert "runAsUser=0" not in reasons("restricted", root, "v1.22")
    assert "runAsUser=0" in reasons("restricted", root, "v1.23")


def test_before_its_stricter_form_the_restricted_standard_has_the_baseline_s():
    adds = pod({"capabilities": {"add": ["CHOWN", "NET_RAW"], "drop": ["ALL"]}})
    assert reasons("restricted", adds, "v1.19")[0] == "non-default capabilities"
    assert "non-default capabilities" not in reasons("restricted", adds, "v1.22")


def test_seccomp_was_an_annotation():
    text = 'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    assert violations("baseline", pod(annotations=UNCONFINED), "v1.18") == [text]
    assert violations("baseline", pod(annotations=UNCONFINED), "v1.19") == []
    assert violations("baseline", pod({"seccompProfile": {"type": "Unconfined"}}), "v1.18") == []
    assert reasons("baseline", pod({"seccompProfile": {"type": "Unconfined"}}), "v1.19") == ["seccompProfile"]


@pytest.mark.parametrize(("version", "expected"), [("v1.31", ["forbidden sysctls"]), ("v1.32", []), ("latest", [])])
def test_sysctls_became_safe(version, expected):
    assert reasons("baseline", pod(**SYSCTL), version) == expected


@pytest.mark.parametrize(("version", "expected"), [("v1.30", ["seLinuxOptions"]), ("v1.31", [])])
def test_types_of_selinux_became_allowed(version, expected):
    assert reasons("baseline", pod({"seLinuxOptions": {"type": "container_engine_t"}}), version) == expected


def test_who_asks_for_a_host_process_is_named():
    text = 'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)'
    assert violations("baseline", pod({"windowsOptions": {"hostProcess": True}})) == [text]


def test_windows_pods_are_spared_since_1_25():
    windows = pod(os={"name": "windows"})
    assert reasons("restricted", windows, "v1.24") == [
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
        "runAsNonRoot != true",
        "seccompProfile",
    ]
    assert reasons("restricted", windows, "v1.25") == ["runAsNonRoot != true"]


def test_a_user_namespace_loosens_nothing():
    assert reasons("baseline", pod({"procMount": "Unmasked"}, hostUsers=False)) == ["procMount"]

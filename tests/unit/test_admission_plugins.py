"""The built-in admission plugins, one after the other, over plain data: what they fill in and what they refuse."""

import copy
import random

import pytest

from apimachinery import kinds as k
from apimachinery.errors import ApiError
from apiserver.admission import chain
from apiserver.admission.chain import PLUGINS
from apiserver.metrics.security import EVALUATIONS
from apiserver.request import Attributes, Decision, User

ALICE = User("alice", ("system:authenticated",))
KUBELET = User("system:node:n1", ("system:nodes", "system:authenticated"))


class World:
    """A Lookup over plain objects."""

    def __init__(self, *rows):
        self.rows = rows

    def get(self, kind, namespace, name):
        found = (t for t in self.list(kind, namespace) if t["metadata"]["name"] == name)
        return next(found, None)

    def list(self, kind, namespace=""):
        return [t for of, t in self.rows if of is kind and namespace in ("", t["metadata"].get("namespace", ""))]


def row(kind, name, namespace="", **body):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **body.pop("metadata", {})}
    return kind, {"metadata": metadata, **body}


NAMESPACE = row(k.NAMESPACES, "default", status={"phase": "Active"})
ACCOUNT = row(k.SERVICEACCOUNTS, "default", "default")


def attributes(kind, verb="create", *, user=ALICE, name="x", namespace="default", subresource=""):
    return Attributes(
        user=user,
        verb=verb,
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        subresource=subresource,
        namespace=namespace if kind.namespaced else "",
        name=name,
    )


def pod(**spec):
    return {
        "metadata": {"name": "x", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


async def mutated(asked, new, *rows, old=None, enable=()):
    admission = chain(enable, random=random.Random(1))
    return await admission.mutate(asked, copy.deepcopy(new), old, World(NAMESPACE, ACCOUNT, *rows))


async def refused(asked, new, *rows, old=None, enable=(), authorize=None):
    """The refusal of the whole chain, None when all is well."""
    admission = chain(enable, random=random.Random(1), authorize=authorize)
    world = World(NAMESPACE, ACCOUNT, *rows)
    try:
        if new is not None:
            new = await admission.mutate(asked, copy.deepcopy(new), old, world)
        await admission.validate(asked, new, old, world)
    except ApiError as error:
        return error
    return None


def test_the_chain_is_ordered_and_chosen_by_name():
    names = [plugin.name for plugin in chain(["AlwaysPullImages"], ["Priority"], random=random.Random()).plugins]
    assert names[0] == "NamespaceLifecycle"
    assert names[-1] == "ResourceQuota"
    assert "AlwaysPullImages" in names
    assert "Priority" not in names
    assert len({plugin.name for plugin in PLUGINS}) == len(PLUGINS)
    for enable, disable, why in (
        (["Nope"], [], 'enable-admission-plugins plugin "Nope" is unknown'),
        ([], ["Nope"], 'disable-admission-plugins plugin "Nope" is unknown'),
        (["EventRateLimit"], [], 'enable-admission-plugins plugin "EventRateLimit" is not implemented by PyKube'),
        (
            ["Priority"],
            ["Priority"],
            r"\[Priority\] in enable-admission-plugins and disable-admission-plugins overlapped",
        ),
    ):
        with pytest.raises(ValueError, match=why):
            chain(enable, disable, random=random.Random())
    assert chain([], ["EventRateLimit", "MutatingAdmissionWebhook"], random=random.Random())


async def test_a_refusal_is_looked_at_again_when_the_cache_is_fresh():
    rows = [ACCOUNT]

    async def fresh():
        rows.append(NAMESPACE)

    admission = chain(random=random.Random(1), fresh=fresh)
    world = World()
    world.rows = rows
    assert (await admission.mutate(attributes(k.PODS), pod(), None, world))["spec"]["serviceAccountName"] == "default"


async def test_namespaces_that_cannot_go():
    asked = attributes(k.NAMESPACES, "delete", name="kube-system")
    error = await refused(asked, None, old={"metadata": {"name": "kube-system"}})
    assert (error.code, error.message) == (
        403,
        'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    )
    assert await refused(attributes(k.NAMESPACES, "delete", name="mine"), None, old={"metadata": {}}) is None


async def test_nothing_is_made_in_a_namespace_that_is_not_there_or_goes():
    asked = attributes(k.CONFIGMAPS, namespace="gone")
    new = {"metadata": {"name": "x", "namespace": "gone"}}
    assert (await refused(asked, new)).message == 'namespaces "gone" not found'
    error = await refused(asked, new, row(k.NAMESPACES, "gone", status={"phase": "Terminating"}))
    assert error.code == 403
    assert error.message == (
        'configmaps "x" is forbidden: unable to create new content in namespace gone because it is being terminated'
    )
    assert error.details["causes"][0]["reason"] == "NamespaceTerminating"


async def test_a_pod_gets_account_token_tolerations_and_priority():
    spec = (await mutated(attributes(k.PODS), pod()))["spec"]
    name = spec["volumes"][0]["name"]
    assert name.startswith("kube-api-access-")
    assert len(name) == len("kube-api-access-") + 5
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    ]
    token, root, where = spec["volumes"][0]["projected"]["sources"]
    assert token == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    assert root["configMap"]["name"] == "kube-root-ca.crt"
    assert where["downwardAPI"]["items"][0]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert [t["key"] for t in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")


async def test_the_chain_may_run_again():
    once = await mutated(attributes(k.PODS), pod())
    assert await mutated(attributes(k.PODS), once) == once


@pytest.mark.parametrize(
    ("spec", "account", "mounts"),
    [
        ({"automountServiceAccountToken": False}, {}, False),
        ({}, {"automountServiceAccountToken": False}, False),
        ({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True),
    ],
)
async def test_who_decides_about_the_token(spec, account, mounts):
    robot = row(k.SERVICEACCOUNTS, "robot", "default", imagePullSecrets=[{"name": "reg"}], **account)
    found = (await mutated(attributes(k.PODS), pod(serviceAccountName="robot", **spec), robot))["spec"]
    assert ("volumes" in found) is mounts
    assert found["imagePullSecrets"] == [{"name": "reg"}]


async def test_a_missing_account():
    error = await refused(attributes(k.PODS), pod(serviceAccountName="who"))
    assert error.message == (
        'pods "x" is forbidden: error looking up service account default/who: serviceaccount "who" not found'
    )


async def test_priority_classes():
    high = row(k.PRIORITYCLASSES, "high", value=7, preemptionPolicy="Never")
    spec = (await mutated(attributes(k.PODS), pod(priorityClassName="high"), high))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")
    usual = row(k.PRIORITYCLASSES, "usual", value=3, globalDefault=True)
    assert (await mutated(attributes(k.PODS), pod(), high, usual))["spec"]["priorityClassName"] == "usual"
    system = await mutated(attributes(k.PODS), pod(priorityClassName="system-node-critical"))
    assert system["spec"]["priority"] == 2_000_001_000
    error = await refused(attributes(k.PODS), pod(priorityClassName="none"))
    assert error.message == 'pods "x" is forbidden: no PriorityClass with name none was found'
    error = await refused(attributes(k.PODS), pod(priority=5))
    assert "the integer value of priority (5) must not be provided in pod spec" in error.message


LIMITS = row(
    k.LIMITRANGES,
    "l",
    "default",
    spec={
        "limits": [
            {
                "type": "Container",
                "default": {"cpu": "500m"},
                "defaultRequest": {"cpu": "100m"},
                "max": {"cpu": "1"},
                "min": {"cpu": "50m"},
            }
        ]
    },
)


async def test_limit_ranges_fill_in_and_bound():
    found = await mutated(attributes(k.PODS), pod(), LIMITS)
    assert found["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}
    assert found["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )
    greedy = pod(containers=[{"name": "c", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "10m"}}}])
    error = await refused(attributes(k.PODS), greedy, LIMITS)
    assert error.message == (
        'pods "x" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, '
        "maximum cpu usage per Container is 1, but limit is 2]"
    )


LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
STRICT = row(k.NAMESPACES, "strict", status={"phase": "Active"}, metadata={"labels": LEVELS})
IN_STRICT = row(k.SERVICEACCOUNTS, "default", "strict")


async def test_pod_security():
    asked = attributes(k.PODS, namespace="strict")
    error = await refused(asked, pod(), STRICT, IN_STRICT)
    assert error.message == (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container '
        '"c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must '
        'set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )
    safe = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    good = pod(containers=[{"name": "c", "securityContext": safe}])
    assert await refused(asked, good, STRICT, IN_STRICT) is None


async def test_versions_of_pod_security_that_are_not_yet_there_are_counted_as_one():
    for version in ("v1.34", "v1.35", "v1.99999"):
        labels = {**LEVELS, "pod-security.kubernetes.io/enforce-version": version}
        namespace = row(k.NAMESPACES, "strict", status={"phase": "Active"}, metadata={"labels": labels})
        assert await refused(attributes(k.PODS, namespace="strict"), pod(), namespace, IN_STRICT)
    told = {labels[2] for labels, _ in EVALUATIONS.rows()}
    assert {"v1.34", "future"} <= told
    assert not {"v1.35", "v1.99999"} & told


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"containers": [{"name": "c", "securityContext": {"privileged": True}}]},
            'privileged (container "c" must not set securityContext.privileged=true)',
        ),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}]}]},
            'hostPort (container "c" uses hostPort 80)',
        ),
        (
            {"containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]},
            'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
    ],
)
async def test_the_baseline(spec, reason):
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    base = row(k.NAMESPACES, "base", status={"phase": "Active"}, metadata={"labels": labels})
    account = row(k.SERVICEACCOUNTS, "default", "base", automountServiceAccountToken=False)
    error = await refused(attributes(k.PODS, namespace="base"), pod(**spec), base, account)
    assert error.message == f'pods "x" is forbidden: violates PodSecurity "baseline:latest": {reason}'


async def test_templates_are_warned_about():
    told = []
    tree = {"metadata": {"name": "x", "namespace": "strict"}, "spec": {"template": pod()}}
    asked = attributes(k.DEPLOYMENTS, namespace="strict")
    admission = chain(random=random.Random(1))
    await admission.validate(asked, tree, None, World(STRICT), warn=told.append)
    assert told[0].startswith('would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false')


def mirror(node="n1", **metadata):
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": "nu", "controller": True}
    annotations = {"kubernetes.io/config.mirror": "h"}
    found = pod(nodeName=node)
    found["metadata"] |= {"annotations": annotations, "ownerReferences": [owner], **metadata}
    return found


NODE = row(k.NODES, "n1", metadata={"uid": "nu"})


@pytest.mark.parametrize(
    ("asked", "new", "old", "why"),
    [
        (attributes(k.PODS, user=KUBELET), pod(), None, 'pod does not have "kubernetes.io/config.mirror" annotation'),
        (attributes(k.PODS, user=KUBELET), mirror("n2"), None, "can only create pods with spec.nodeName set to itself"),
        (attributes(k.PODS, user=KUBELET), mirror(), None, ""),
        (attributes(k.PODS, "delete", user=KUBELET), None, pod(nodeName="n2"), "can only delete pods with"),
        (attributes(k.PODS, "delete", user=KUBELET), None, pod(nodeName="n1"), ""),
        (
            attributes(k.PODS, "patch", user=KUBELET, subresource="status"),
            pod(nodeName="n2"),
            pod(nodeName="n2"),
            "can only update pod status for pods with spec.nodeName set to itself",
        ),
        (
            attributes(k.NODES, user=KUBELET, name="n2"),
            {"metadata": {"name": "n2"}},
            None,
            "is not allowed to modify node",
        ),
        (attributes(k.NODES, user=KUBELET, name="n1"), {"metadata": {"name": "n1"}}, None, ""),
        (
            attributes(k.NODES, "patch", user=KUBELET, name="n1"),
            {"metadata": {"name": "n1", "labels": {"node-restriction.kubernetes.io/x": "y"}}},
            {"metadata": {"name": "n1"}},
            'node "n1" is not allowed to modify the following labels: node-restriction.kubernetes.io/x',
        ),
        (
            attributes(k.LEASES, "patch", user=KUBELET, name="n2", namespace="kube-node-lease"),
            {"metadata": {"name": "n2"}},
            {"metadata": {"name": "n2"}},
            "can only access node lease with the same name as the requesting node",
        ),
        (
            attributes(k.SERVICEACCOUNTS, user=KUBELET, subresource="token"),
            {
                "spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p2", "uid": "u2"}},
                "metadata": {},
            },
            None,
            "node requested token bound to a pod scheduled on a different node",
        ),
    ],
)
async def test_node_restriction(asked, new, old, why):
    other = row(k.PODS, "p2", "default", spec={"nodeName": "n2"}, metadata={"uid": "u2"})
    leases = row(k.NAMESPACES, "kube-node-lease", status={"phase": "Active"})
    error = await refused(asked, new, NODE, other, leases, old=old)
    assert (error is None) if not why else (why in error.message)


async def test_defaults_for_nodes_claims_and_ingresses():
    node = await mutated(attributes(k.NODES, name="n"), {"metadata": {"name": "n"}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    marked = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    old = row(k.STORAGECLASSES, "old", metadata={**marked, "creationTimestamp": "2024-01-01T00:00:00Z"})
    new = row(k.STORAGECLASSES, "new", metadata={**marked, "creationTimestamp": "2025-01-01T00:00:00Z"})
    claim = {"metadata": {"name": "x", "namespace": "default"}, "spec": {}}
    assert (await mutated(attributes(k.PERSISTENTVOLUMECLAIMS), claim, old, new))["spec"]["storageClassName"] == "new"
    annotations = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    web = row(k.INGRESSCLASSES, "web", metadata=annotations)
    ingress = {"metadata": {"name": "x", "namespace": "default"}, "spec": {}}
    assert (await mutated(attributes(k.INGRESSES), ingress, web))["spec"]["ingressClassName"] == "web"


async def test_runtime_classes():
    heavy = row(
        k.RUNTIMECLASSES,
        "heavy",
        overhead={"podFixed": {"cpu": "1"}},
        scheduling={"nodeSelector": {"vm": "yes"}},
    )
    spec = (await mutated(attributes(k.PODS), pod(runtimeClassName="heavy"), heavy))["spec"]
    assert (spec["overhead"], spec["nodeSelector"]) == ({"cpu": "1"}, {"vm": "yes"})
    error = await refused(attributes(k.PODS), pod(runtimeClassName="none"))
    assert error.message == 'pods "x" is forbidden: pod rejected: RuntimeClass "none" not found'


@pytest.mark.parametrize(
    ("allowed", "why"),
    [((), "user not permitted to approve requests"), (("a.b/c",), ""), (("a.b/*",), "")],
)
async def test_who_may_approve(allowed, why):
    old = {"metadata": {"name": "x"}, "spec": {"signerName": "a.b/c"}}

    def authorize(asked):
        return Decision(asked.verb == "approve" and asked.name in allowed)

    asked = attributes(k.CERTIFICATESIGNINGREQUESTS, "update", subresource="approval")
    error = await refused(asked, copy.deepcopy(old), old=old, authorize=authorize)
    assert (error is None) if not why else (why in error.message)


async def test_plugins_that_are_off_until_wanted():
    found = await mutated(attributes(k.PODS), pod(), enable=["AlwaysPullImages"])
    assert found["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    service = {"metadata": {"name": "x", "namespace": "default"}, "spec": {"externalIPs": ["1.2.3.4"]}}
    assert await refused(attributes(k.SERVICES), service) is None
    error = await refused(attributes(k.SERVICES), service, enable=["DenyServiceExternalIPs"])
    assert error.message == 'services "x" is forbidden: Use of external IPs is denied by admission control.'


async def test_a_claim_grows_only_where_its_class_lets_it():
    def claim(size):
        requests = {"requests": {"storage": size}}
        return {
            "metadata": {"name": "x", "namespace": "default"},
            "spec": {"storageClassName": "s", "resources": requests},
            "status": {"phase": "Bound"},
        }

    asked = attributes(k.PERSISTENTVOLUMECLAIMS, "update")
    fixed, elastic = row(k.STORAGECLASSES, "s"), row(k.STORAGECLASSES, "s", allowVolumeExpansion=True)
    error = await refused(asked, claim("2Gi"), fixed, old=claim("1Gi"))
    assert "only dynamically provisioned pvc can be resized" in error.message
    assert await refused(asked, claim("2Gi"), elastic, old=claim("1Gi")) is None

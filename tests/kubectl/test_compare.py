"""kubectl and pykubectl with the same arguments on the same cluster say the same: stdout, stderr, exit code.

Ages, times and what differs from run to run are blanked out on both sides; so is the program's name.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

KUBECTL = Path("/usr/lib/google-cloud-sdk/bin/kubectl.1.32")
PYKUBECTL = Path(sys.executable).parent / "pykubectl"
CHANGING = (
    (re.compile(r"pykubectl|kubectl\.1\.\d+"), "kubectl"),
    (re.compile(r"\b(?:\d+[dhms])+(?= |$|\))", re.MULTILINE), "AGE"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ [+-]\d{4}"), "MOMENT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "MOMENT"),
    (re.compile(r'(resourceVersion"?: )"\d+"'), r"\1REVISION"),
    (re.compile(r"^E\d{4} .*memcache\.go.*\n", re.MULTILINE), ""),
    (re.compile(r" +"), " "),  # the width of a column follows the ages in it
)

READING = """
get
get pods
get pods -o wide
get pods,services
get all
get all -A
get pods -l app=web -o name
get pods --show-labels
get pods -L app
get pods --no-headers
get pods -n kube-system
get pods nosuch
get pods nosuch --ignore-not-found
get nosuch
get deployment/web service/web
get deployment web -o yaml
get service web -o json
get deployment web -o jsonpath={.spec.replicas}
get pods -o 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}'
get pods -o custom-columns=NAME:.metadata.name,IP:.status.podIP
get pods --sort-by=.metadata.name
get clusterroles -o yaml
get configmaps -A -o json
get --raw /version
get pods -o foo
get --nosuchflag
get -q
get pods -o
get pods --watch=maybe
describe deployment web
describe replicasets
describe pods
describe service web
describe node
describe namespace default
describe clusterroles
describe clusterrolebindings
describe serviceaccount default
describe endpoints web
describe endpointslices
describe secrets
describe
logs deployment/web
logs nosuch
exec deployment/web -- echo hi
exec deployment/web -- sh -c 'echo out; echo err >&2; exit 7'
exec deployment/web -- nosuchcommand
exec web
rollout status deployment/web
rollout history deployment/web
rollout history deployment/web --revision=1
rollout history deployment/web --revision=9
rollout status
wait --for=condition=Available deployment/web
wait --for=condition=Nothing deployment/web --timeout=1s
wait --for=jsonpath={.status.replicas}=3 deployment/web
wait --for=delete pod/nosuch
events --for=deployment/web
api-resources
api-resources -o wide
api-versions
explain pod
explain pod.spec.containers
explain deployment.spec.replicas
explain pod.nosuch
auth can-i create pods
auth can-i create pods --as=jane
auth whoami
config view
config get-contexts
config current-context
cluster-info
top pod
nosuch
gt pods
"""

DRY = """
create deployment one --image=nginx:1.27 --replicas=2 --port=80 --dry-run=client -o yaml
create deployment one
create job one --image=busybox --dry-run=client -o yaml -- date
create configmap one --from-literal=a=b --dry-run=client -o yaml
create secret generic one --from-literal=a=b --dry-run=client -o yaml
create service nodeport one --tcp=80:8080 --dry-run=client -o yaml
create role one --verb=get,list --resource=pods,deployments.apps --dry-run=client -o yaml
create rolebinding one --clusterrole=view --user=jane --serviceaccount=a:b --dry-run=client -o yaml
create ingress one --rule=example.org/a*=web:80 --dry-run=client -o yaml
create namespace default
create namespace
create nosuch
create
run one --image=busybox --dry-run=client -o yaml -- date
run one --image=busybox --dry-run=server
run one
expose deployment/web --port=80 --name=two --dry-run=client -o yaml
expose deployment/nosuch --port=80
scale deployment/web --replicas=3
scale deployment/web --replicas=x
scale deployment/web
scale deployment/nosuch --replicas=3
scale deployment/web --current-replicas=9 --replicas=1
label pods --all tier=front --dry-run=server
label deployment/web app=other
label deployment/web nosuch-
annotate deployment/web
patch deployment web -p {}
patch deployment web -p '{"spec":{"replicas":"x"}}'
patch deployment web
set image deployment/web web=other --dry-run=server
set image deployment/web nosuch=other
set env deployment/web MODE=fast --dry-run=server
autoscale deployment/web --max=3 --dry-run=client -o yaml
delete pod nosuch
delete pod
delete
cordon nosuch
cordon
drain
taint node NODE key=value:Wrong
taint node NODE nosuch-
apply -f /nosuch.yaml
apply
port-forward
cp
attach
replace
diff
"""


def said(program, line, cluster):
    done = subprocess.run(  # noqa: PLW1510  (codes are compared)
        [program, *shlex.split(line)],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, blanked(done.stdout), blanked(done.stderr)


def blanked(text):
    for pattern, replacement in CHANGING:
        text = pattern.sub(replacement, text)
    before, events, after = text.partition("\nEvents:\n")  # kubectl's order of those of one second is no stable sort's
    text = before + events + "\n".join(sorted(after.splitlines()))
    return re.sub(r"\(s\)|[ \t]+$", "", text, flags=re.MULTILINE).strip()


def lines(table):
    return [line for line in table.splitlines() if line]


@pytest.fixture(scope="module", autouse=True)
def _kubectl():
    needs.program(str(KUBECTL))


@pytest.mark.parametrize("line", lines(READING) + lines(DRY))
def test_same(cluster, line):
    node = cluster.kubectl("get", "nodes", "-o", "name").strip().partition("/")[2]
    line = line.replace("NODE", node)
    for _ in range(5):
        theirs, ours = said(KUBECTL, line, cluster), said(PYKUBECTL, line, cluster)
        if ours == theirs:  # else something may have changed in between: look again
            break
    assert ours == theirs


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: compare}
data: {key: "%s"}
"""


def test_a_life(cluster, tmp_path):
    """The same changes in the same order, in a namespace each: the same words."""
    file = tmp_path / "manifest.yaml"
    steps = (
        ("one", "create namespace SPACE"),
        ("one", "apply -n SPACE -f FILE"),
        ("one", "apply -n SPACE -f FILE"),
        ("two", "apply -n SPACE -f FILE"),
        ("two", "create -n SPACE -f FILE"),
        ("two", "diff -n SPACE -f FILE"),
        ("two", "replace -n SPACE -f FILE"),
        ("two", "label -n SPACE cm/compare a=b"),
        ("two", "label -n SPACE cm/compare a=b"),
        ("two", "label -n SPACE cm/compare a=c"),
        ("two", "label -n SPACE cm/compare a-"),
        ("two", "annotate -n SPACE cm/compare a=b"),
        ("two", "annotate -n SPACE cm/compare a=c"),
        ("two", "annotate -n SPACE cm/compare a-"),
        ("two", 'patch -n SPACE cm compare --type=json -p \'[{"op":"remove","path":"/data/key"}]\''),
        ("two", "get -n SPACE cm compare -o jsonpath={.data}"),
        ("two", "describe -n SPACE cm compare"),
        ("two", "create -n SPACE deployment idle --image=pykube/web:demo --replicas=0"),
        ("two", "set -n SPACE image deployment/idle web=pykube/web:other"),
        ("two", "set -n SPACE env deployment/idle MODE=fast"),
        ("two", "rollout -n SPACE pause deployment/idle"),
        ("two", "rollout -n SPACE resume deployment/idle"),
        ("two", "rollout -n SPACE restart deployment/idle"),
        ("two", "expose -n SPACE deployment/idle --port=80"),
        ("two", "delete -n SPACE deployment/idle service/idle"),
        ("two", "delete -n SPACE -f FILE"),
        ("two", "delete -n SPACE -f FILE"),
        ("two", "delete namespace SPACE"),
    )
    told = []
    for program, space in ((KUBECTL, "compare-a"), (PYKUBECTL, "compare-b")):
        answers = []
        for value, step in steps:
            file.write_text(MANIFEST % value)
            line = step.replace("SPACE", space).replace("FILE", str(file))
            answer = said(program, line, cluster)
            answers.append((step, *(str(part).replace(space, "SPACE") for part in answer)))
        told.append(answers)
    for theirs, ours in zip(*told, strict=True):
        assert ours == theirs

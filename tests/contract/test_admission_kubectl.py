"""Unmodified kubectl against webhooks and policies: what people read when they are refused, warned or mutated."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from serving.https import serve
from tests import needs
from tests.contract.api_server import pod, running
from tests.contract.test_admission_policies import binding, policy
from tests.contract.webhook_configurations import MAPS, validate_with
from tests.contract.webhook_servers import hook, patch, rule, webhook

KUBECTL = Path("/usr/lib/google-cloud-sdk/bin/kubectl.1.33")


class Kubectl:
    def __init__(self, server, port, folder):
        self.server, self.port, self.folder = server, port, folder

    async def __call__(self, *arguments, stdin=""):
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--server=http://127.0.0.1:{self.port}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": str(self.folder), "KUBECONFIG": "/dev/null"},
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        return process.returncode, out.decode(), err.decode()

    async def apply(self, *trees):
        code, out, err = await self("apply", "-f", "-", stdin="---\n".join(map(yaml.safe_dump, trees)))
        assert code == 0, err
        return out


@asynccontextmanager
async def served(folder):
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with running() as server, asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(server.app, host="127.0.0.1", port=0, ready=port.set_result, stop=stop, grace=0.1))
        yield Kubectl(server, await port, folder)
        stop.set()


async def test_refusals_warnings_and_mutations_with_kubectl(tmp_path):
    needs.program(str(KUBECTL))

    def answer(request):
        if request["name"] == "denied" or request["operation"] == "CONNECT":
            return {"allowed": False, "status": {"message": "not today"}, "warnings": ["it is late"]}
        return patch({"op": "add", "path": "/data/seen", "value": request["userInfo"]["username"]})

    async with served(tmp_path) as kubectl, webhook(answer) as it:
        head = {"apiVersion": "admissionregistration.k8s.io/v1"}
        mutating = {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "m"},
            "webhooks": [hook("m.example.com", it, MAPS)],
        }
        assert (
            await kubectl.apply(head | mutating)
            == "mutatingwebhookconfiguration.admissionregistration.k8s.io/m created\n"
        )
        assert "name" in (await kubectl("get", "mutatingwebhookconfigurations", "-o", "yaml"))[1]

        code, _, err = await kubectl("create", "configmap", "denied", "--from-literal=a=b")
        refused = 'admission webhook "m.example.com" denied the request: not today'
        assert (code, err) == (1, f"Warning: it is late\nerror: failed to create configmap: {refused}\n")
        assert (await kubectl("create", "configmap", "seen"))[0] == 1  # no data to add to: the patch does not apply
        assert (await kubectl("create", "configmap", "seen", "--from-literal=a=b"))[0] == 0
        assert (await kubectl("get", "configmap", "seen", "-o", "jsonpath={.data.seen}"))[1] == "system:admin"

        await kubectl.server.must("POST", "/api/v1/namespaces/default/pods", pod("web"))
        await validate_with(kubectl.server, hook("v.example.com", it, rule("pods/attach", operations=("CONNECT",))))
        code, _, err = await kubectl("attach", "web", "-i", "-c", "main")
        assert code == 1
        assert 'admission webhook "v.example.com" denied the request: not today' in err, err

        made = policy(
            "small.example.com",
            {"expression": "size(object.data) < 3", "message": "too much"},
            resources=("configmaps",),
            groups=("",),
        )
        bound = binding("small.example.com", to="small.example.com")
        await kubectl.apply(
            head | {"kind": "ValidatingAdmissionPolicy"} | made,
            head | {"kind": "ValidatingAdmissionPolicyBinding"} | bound,
        )
        code, _, err = await kubectl("create", "configmap", "big", "--from-literal=a=b", "--from-literal=c=d")
        assert err == (
            "error: failed to create configmap: configmaps \"big\" is forbidden: ValidatingAdmissionPolicy 'small.example.com' "
            "with binding 'small.example.com' denied request: too much\n"
        )
        assert (await kubectl("create", "configmap", "dry", "--from-literal=a=b", "--dry-run=server"))[0] == 0
        assert it.asked[-1]["dryRun"] is True

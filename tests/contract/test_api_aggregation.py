"""APIServices: extension servers behind the API server, seen through its own clients and through kubectl."""

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from apiserver.options import Options
from serving.dialer import Target, ask
from serving.https import ServerTLS
from tests.contract import extension_server as ext
from tests.contract.api_server import Server, running
from tests.contract.streams_servers import Pki, write_kubeconfig

REGISTRATION = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{ext.VERSION}.{ext.GROUP}"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass
class Both:
    """The main server and what belongs to an extension server, which a test starts by `up`."""

    main: Server
    extension: ext.Extension
    pki: Pki
    folder: Path
    port: int = 0

    @property
    def ca(self):
        return base64.b64encode(Path(self.pki.ca).read_bytes()).decode()

    @contextlib.asynccontextmanager
    async def up(self, port=0):
        tls = ServerTLS(*self.pki.issue("sample-api.default.svc"), self.pki.ca)
        async with ext.serving(self.extension, tls, port) as self.port:
            yield

    async def register(self, **more):
        await self.main.must("POST", "/api/v1/namespaces/default/services", ext.service(self.port))
        return await self.main.must("POST", REGISTRATION, ext.api_service(self.port, self.ca, **more))

    async def condition(self, reason):
        """The Available condition, once it has this reason."""
        async with asyncio.timeout(60):
            while True:
                tree = await self.main.must("GET", f"{REGISTRATION}/{NAME}")
                for condition in (tree.get("status") or {}).get("conditions", ()):
                    if condition["reason"] == reason:
                        return condition
                await asyncio.sleep(0.02)

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not (found := await condition()):
                await asyncio.sleep(0.02)
            return found

    async def listed(self):
        """The group version in aggregated discovery."""
        tree = (await self.main.send("GET", "/apis", headers={"accept": AGGREGATED})).json()
        groups = {item["metadata"]["name"]: item for item in tree["items"]}
        return groups[ext.GROUP]["versions"][0] if ext.GROUP in groups else None


@pytest.fixture
async def both(tmp_path):
    pki = Pki(tmp_path)
    cert, key = pki.issue("front-proxy-client")
    async with running(options=Options(proxy_client_certificate=cert, proxy_client_key=key)) as main:

        async def review(spec):
            body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
            tree = await main.must("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            return tree["status"]["allowed"]

        yield Both(main, ext.Extension(review), pki, tmp_path)


def flunder(name):
    return {"apiVersion": ext.API_VERSION, "kind": "Flunder", "metadata": {"name": name}, "spec": {"depth": 3}}


async def test_built_in_group_versions_are_local_api_services(both):
    items = (await both.main.must("GET", REGISTRATION))["items"]
    found = {item["metadata"]["name"]: item for item in items}
    assert {"v1.", "v1.apps", "v2.autoscaling", "v1.batch", "v1.rbac.authorization.k8s.io"} <= set(found)
    assert "v1.apiregistration.k8s.io" not in found
    apps = found["v1.apps"]
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    assert apps["spec"] == {"group": "apps", "version": "v1", "groupPriorityMinimum": 17800, "versionPriority": 15}
    (condition,) = apps["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("True", "Local")
    assert condition["message"] == "Local APIServices are always available"


async def test_custom_resources_are_local_api_services_as_long_as_they_are_served(both):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version]}  # fmt: skip
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await both.main.must("POST", crds, {"metadata": {"name": "widgets.example.com"}, "spec": spec})

    async def found():
        code, tree = await both.main.call("GET", f"{REGISTRATION}/v1.example.com")
        return tree if code == 200 else None

    tree = await both.until(found)
    assert tree["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    assert (tree["spec"]["groupPriorityMinimum"], tree["spec"]["versionPriority"]) == (1000, 100)
    await both.main.must("DELETE", f"{REGISTRATION}/v1.example.com")
    await both.until(found)  # it is made again
    await both.main.must("DELETE", f"{crds}/widgets.example.com")

    async def gone():
        return await found() is None

    await both.until(gone)


async def test_requests_go_to_the_extension_server_as_their_user(both):
    async with both.up():
        await both.register()
        condition = await both.condition("Passed")
        assert (condition["status"], condition["message"]) == ("True", "all checks passed")
        created = await both.main.must("POST", ext.FLUNDERS, flunder("nemo"))
        assert created["metadata"]["uid"] == "nemo"
        assert [f["metadata"]["name"] for f in (await both.main.must("GET", ext.FLUNDERS))["items"]] == ["nemo"]
        user, groups, method, path = both.extension.asked[-1]
        assert (user, set(groups)) == ("system:admin", {"system:masters", "system:authenticated"})
        assert (method, path) == ("GET", ext.FLUNDERS)
        assert "audit-id" in both.extension.headers[-1]
        assert both.extension.headers[-1]["x-forwarded-uri"] == ext.FLUNDERS
        code, status = await both.main.call("GET", f"{ext.FLUNDERS}/dory")
        assert (code, status["reason"]) == (404, "NotFound")
        await both.main.must("DELETE", f"{ext.FLUNDERS}/nemo")
        assert both.extension.flunders == {}


async def test_the_extension_server_judges_the_impersonated_user(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")
        role = {"metadata": {"name": "all-flunders"},
                "rules": [{"apiGroups": [ext.GROUP], "resources": ["flunders"], "verbs": ["list"]}]}  # fmt: skip
        subject = {"kind": "User", "name": "marlin", "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all-flunders"}
        await both.main.must("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
        binding = {"metadata": {"name": "marlin"}, "subjects": [subject], "roleRef": reference}
        await both.main.must("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        headers = {"impersonate-user": "marlin", "impersonate-extra-a%2fB": "c"}
        response = await both.main.send("GET", ext.FLUNDERS, headers=headers)
        assert response.status_code == 200, response.text
        assert both.extension.asked[-1][0] == "marlin"
        seen = both.extension.headers[-1]
        assert seen["x-remote-extra-a%2fb"] == "c"
        assert not [name for name in seen if name.startswith("impersonate")]


async def test_what_a_client_says_of_itself_is_not_passed_on(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")
        headers = {"x-remote-user": "root", "x-remote-group": "system:masters", "authorization": "Bearer secret"}
        await both.main.send("GET", ext.FLUNDERS, headers=headers)
        assert both.extension.asked[-1][0] == "system:admin"
        assert "authorization" not in both.extension.headers[-1]


async def test_a_watch_streams_through(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")
        async with both.main.watch(ext.FLUNDERS) as events:
            await both.main.must("POST", ext.FLUNDERS, flunder("nemo"))
            type_, tree = await events.next()
            assert (type_, tree["metadata"]["name"]) == ("ADDED", "nemo")
            await both.main.must("DELETE", f"{ext.FLUNDERS}/nemo")
            assert (await events.next())[0] == "DELETED"


async def test_why_an_api_service_is_not_available(both):
    both.port = 443
    await both.main.must("POST", REGISTRATION, ext.api_service(443, both.ca))
    condition = await both.condition("ServiceNotFound")
    assert condition["message"] == 'service/sample-api in "default" is not present'
    response = await both.main.send("GET", ext.FLUNDERS)
    assert (response.status_code, response.text) == (503, "service unavailable\n")
    spec = {"ports": [{"name": "https", "port": 7443}]}
    services = "/api/v1/namespaces/default/services"
    await both.main.must("POST", services, {"metadata": {"name": "sample-api"}, "spec": spec})
    condition = await both.condition("ServicePortError")
    assert condition["message"] == 'service/sample-api in "default" is not listening on port 443'
    patch = [{"op": "replace", "path": "/spec/ports/0/port", "value": 443}]
    await both.main.must("PATCH", f"{services}/sample-api", patch, type="application/json-patch+json")
    condition = await both.condition("EndpointsNotFound")
    assert condition["message"] == 'cannot find endpointslices for service/sample-api in "default"'
    piece = {"metadata": {"name": "sample-api-x", "labels": {"kubernetes.io/service-name": "sample-api"}},
             "addressType": "IPv4", "ports": [{"name": "https", "port": 443}],
             "endpoints": [{"addresses": ["10.9.9.9"], "conditions": {"ready": False}}]}  # fmt: skip
    await both.main.must("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", piece)
    condition = await both.condition("MissingEndpoints")
    text = 'endpointslices for service/sample-api in "default" have no addresses with port name "https"'
    assert condition["message"] == text


async def test_a_server_that_goes_is_noticed_and_stays_listed_as_stale(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")

        async def known():
            listed = await both.listed()
            return listed if listed and listed["freshness"] == "Current" else None

        assert (await both.until(known))["resources"][0]["resource"] == "flunders"
    patch = {"spec": {"versionPriority": 201}}  # a change makes it look at once
    await both.main.must("PATCH", f"{REGISTRATION}/{NAME}", patch, type="application/merge-patch+json")
    condition = await both.condition("FailedDiscoveryCheck")
    assert condition["status"] == "False"
    url = f"https://localhost:{both.port}{ext.ROOT}"
    assert condition["message"].startswith(f"failing or missing response from {url}: ")
    assert (await both.listed())["freshness"] == "Stale"
    text = (await both.main.send("GET", "/metrics")).text
    assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 1\n' in text
    response = await both.main.send("GET", ext.FLUNDERS)
    assert (response.status_code, response.text) == (503, "service unavailable\n")
    async with both.up(both.port):
        await both.condition("Passed")
        await both.main.must("GET", ext.FLUNDERS)


async def test_another_certificate_is_not_trusted(both, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = Pki(tmp_path / "other")
    async with both.up():
        both.pki = stranger  # the APIService names a CA that did not sign the server's certificate
        await both.register()
        await both.condition("Passed")  # the check trusts anybody, as upstream's does
        response = await both.main.send("GET", ext.FLUNDERS)
        assert response.status_code == 503
        assert response.text.startswith("error trying to reach service: tls: ")


async def test_discovery_lists_what_extension_servers_have(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")
        groups = [group["name"] for group in (await both.main.must("GET", "/apis"))["groups"]]
        assert groups[0] == "apiregistration.k8s.io"
        assert groups[-1] == ext.GROUP
        group = await both.main.must("GET", f"/apis/{ext.GROUP}")
        assert group["preferredVersion"] == {"groupVersion": ext.API_VERSION, "version": ext.VERSION}
        resources = await both.main.must("GET", ext.ROOT)
        assert resources["groupVersion"] == ext.API_VERSION
        assert ext.ROOT in (await both.main.must("GET", "/"))["paths"]


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("has_v3", [True, False])
async def test_documents_are_merged_whatever_the_server_has(both, aggregated, has_v3):
    both.extension.aggregated, both.extension.openapi_v3 = aggregated, has_v3
    async with both.up():
        await both.register()
        await both.condition("Passed")

        async def known():
            listed = await both.listed()
            return listed if listed and listed.get("resources") else None

        (row,) = (await both.until(known))["resources"]
        assert (row["resource"], row["scope"], row["shortNames"]) == ("flunders", "Namespaced", ["fl"])
        if not aggregated:
            assert [sub["subresource"] for sub in row["subresources"]] == ["shout"]

        async def in_v3():
            return (await both.main.must("GET", "/openapi/v3"))["paths"].get(ext.ROOT.strip("/"))

        url = (await both.until(in_v3))["serverRelativeURL"]
        document = await both.main.must("GET", url)
        assert document["components"]["schemas"][ext.NAME]["description"] == "A flunder swims."
        v2 = await both.main.must("GET", "/openapi/v2")
        assert ext.NAME in v2["definitions"]
        assert "Unused" not in v2["definitions"]
        assert f"{ext.ROOT}/namespaces/{{namespace}}/flunders" in v2["paths"]


async def test_a_removed_api_service_is_forgotten(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")
        await both.main.must("DELETE", f"{REGISTRATION}/{NAME}")

        async def gone():
            return await both.listed() is None

        await both.until(gone)
        code, _ = await both.main.call("GET", ext.FLUNDERS)
        assert code == 404


async def test_kubectl_and_upgrades_reach_the_extension_server(both):
    async with both.up():
        await both.register()
        await both.condition("Passed")

        async def known():
            return (await both.listed()).get("resources")

        await both.until(known)
        cert = ServerTLS(*both.pki.issue("apiserver"), both.pki.ca)
        async with ext.serving(both.main.app, cert) as port:
            both.api_port, both.kubeconfig = port, str(both.folder / "kubeconfig")
            write_kubeconfig(both)
            manifest = both.folder / "flunder.json"
            manifest.write_text(
                '{"apiVersion":"wardle.example.com/v1alpha1","kind":"Flunder",'
                '"metadata":{"name":"nemo","namespace":"default"}}'
            )
            assert await kubectl(both, "create", "-f", str(manifest)) == "flunder.wardle.example.com/nemo created\n"
            assert (await kubectl(both, "get", "fl", "-o", "name")) == "flunder.wardle.example.com/nemo\n"
            shown = await kubectl(both, "get", "apiservices", NAME, "--no-headers")
            assert shown.split()[:3] == [NAME, "default/sample-api", "True"]
            assert "A flunder swims." in await kubectl(both, "explain", "flunders")
            target = Target(f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=both.pki.ca))
            upgrade = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]
            answer = await ask(target, "GET", f"{ext.FLUNDERS}/nemo/shout", upgrade)
            assert answer.code == 101
            await answer.raw.write(b"hello")
            assert await answer.raw.read() == b"HELLO"
            await answer.raw.close()


async def kubectl(both, *arguments):
    process = await asyncio.create_subprocess_exec(
        "/usr/lib/google-cloud-sdk/bin/kubectl.1.33", "--kubeconfig", both.kubeconfig,
        f"--cache-dir={both.folder}/cache", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()

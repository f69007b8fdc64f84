"""Pulls from a real registry on loopback (Debian's docker-registry) by the real Docker Engine, with and without a password."""

import asyncio
import base64
import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request

import docker
import pytest

from apimachinery.objects.core_v1 import Container, Secret
from kubelet.pods.images import ImageProblem, Images
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from tests import needs
from tests.ports import free_port

USER, PASSWORD = "robot", "geheim"


def htpasswd():
    """A line for the registry. It takes bcrypt alone; libxcrypt knows it."""
    salted = subprocess.run(
        ["perl", "-e", "print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))", PASSWORD],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return f"{USER}:{salted.stdout}\n"


@contextlib.contextmanager
def registry(folder, *, private):
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if private:
        (folder / "htpasswd").write_text(htpasswd())
        config["auth"] = {"htpasswd": {"realm": "r", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    process = subprocess.Popen(
        [*needs.WITH_US, needs.program("docker-registry"), "serve", str(folder / "config.yml")],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def wait_for(port, process):
    for _ in range(1200):
        assert process.poll() is None, "the registry ended"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the registry does not answer")


@pytest.fixture
def engine(docker_socket):
    with contextlib.closing(docker.APIClient(base_url=f"unix://{docker_socket}", version="auto")) as client:
        yield client


@contextlib.contextmanager
def pushed(engine, where, auth=None):
    """A tiny image in the registry alone; its digest."""
    name = f"{where}/team/tiny"
    made = engine.import_image_from_data(b"\0" * 1024, repository=name, tag="1")
    assert "error" not in made
    try:
        for line in engine.push(name, tag="1", stream=True, decode=True, auth_config=auth or {}):
            assert "error" not in line, line
        (reference,) = engine.inspect_image(f"{name}:1")["RepoDigests"]
        engine.remove_image(f"{name}:1")
        yield reference
    finally:
        for each in engine.images(name=name):
            with contextlib.suppress(docker.errors.APIError):
                engine.remove_image(each["Id"], force=True)


@contextlib.asynccontextmanager
async def pulling():
    runtime, told = DockerRuntime(Owner("registry-test", "n")), []
    images = Images(runtime)

    async def pull(name, *secrets, policy="", uid="u"):
        container = Container(name="c", image=name, image_pull_policy=policy)
        return await images.ensure(
            uid, container, secrets=secrets, event=lambda _type, reason, message: told.append((reason, message))
        )

    try:
        yield pull, told
    finally:
        runtime.close()


def secret(where, user=USER, password=PASSWORD):
    entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    return Secret(data={".dockerconfigjson": json.dumps({"auths": {where: entry}}).encode()})


async def test_an_image_is_pulled_by_tag_and_by_digest(engine, tmp_path):
    with registry(tmp_path, private=False) as where, pushed(engine, where) as reference:
        async with pulling() as (pull, told):
            image = await pull(f"{where}/team/tiny:1")
            assert image.digests == (reference,)
            assert told[0] == ("Pulling", f'Pulling image "{where}/team/tiny:1"')
            words = told[1][1]
            assert words.startswith(f'Successfully pulled image "{where}/team/tiny:1" in ')
            assert words.endswith(f"including waiting). Image size: {image.size} bytes.")
            await asyncio.gather(pull(reference), pull(f"{where}/team/tiny:1@{reference.partition('@')[2]}"))
            await pull(f"{where}/team/tiny:1", policy="IfNotPresent")
            assert told[-1] == ("Pulled", f'Container image "{where}/team/tiny:1" already present on machine')
            with pytest.raises(ImageProblem, match="not found"):
                await pull(f"{where}/team/tiny:2")
            with pytest.raises(ImageProblem, match="is not present with pull policy of Never") as refused:
                await pull(f"{where}/team/tiny:2", policy="Never", uid="v")
            assert refused.value.failure.reason == "ErrImageNeverPull"


async def test_a_private_registry_wants_the_right_secret(engine, tmp_path):
    with registry(tmp_path, private=True) as where:
        auth = {"username": USER, "password": PASSWORD}
        with pushed(engine, where, auth):
            async with pulling() as (pull, told):
                name = f"{where}/team/tiny:1"
                with pytest.raises(ImageProblem, match=r"no basic auth credentials|unauthorized"):
                    await pull(name)
                with pytest.raises(ImageProblem, match="unauthorized"):
                    await pull(name, secret(where, password="wrong"), uid="v")
                image = await pull(name, secret(where, password="wrong"), secret(f"{where}/team"), uid="w")
                assert image.tags == (name,)
                with pytest.raises(ImageProblem) as refused:
                    await pull(name + "0", uid="u2")
                assert refused.value.failure.reason == "ErrImagePull"
                assert [reason for reason, _ in told].count("Failed") == 3


async def test_nobody_at_home():
    async with pulling() as (pull, _told):
        with pytest.raises(ImageProblem, match="connection refused") as refused:
            await pull(f"127.0.0.1:{free_port()}/a:1")
        assert refused.value.failure.reason == "ErrImagePull"

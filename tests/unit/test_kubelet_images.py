"""Images: whose credentials, which programs are asked, who pulls when, what goes when the disk is full."""

import asyncio
import base64
import json

import pytest

from apimachinery.objects.core_v1 import Container, Secret
from kubelet import image_gc
from kubelet.credential_plugins import Plugins, duration, read, read_file
from kubelet.image_gc import ImageKeeper, to_free
from kubelet.pods.images import ImageProblem, Images, canonical
from kubelet.pods.keyring import candidates, keyring, matches, of_configuration, of_secrets
from kubelet.runtime.fake import FakeRuntime
from kubelet.runtime.protocol import ContainerConfig, Disk, Image, PodRef, RuntimeError_


def secret(**users):
    auths = {where: {"auth": base64.b64encode(f"{user}:pw:x".encode()).decode()} for where, user in users.items()}
    return Secret(data={".dockerconfigjson": json.dumps({"auths": auths}).encode()})


def who(image, *rings):
    return [auth["username"] for auth in candidates(canonical(image), rings)]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("r.example:5000/a:1", ["port"]),
        ("r.example/a:1", ["host"]),
        ("r.example/team/a@sha256:" + "0" * 64, ["team", "host"]),
        ("x.wild.example/a", ["wild"]),
        ("a.b.wild.example/a", []),
        ("nginx", ["hub"]),
        ("me/app:2", ["hub"]),
        ("docker.io/library/nginx", ["hub"]),
    ],
)
def test_credentials_by_registry_the_most_specific_first(image, expected):
    ring = of_secrets([secret(**{
        "r.example": "host", "https://r.example:5000/v1/": "port", "r.example/team": "team",
        "*.wild.example": "wild", "https://index.docker.io/v1/": "hub"})])  # fmt: skip
    assert who(image, ring) == expected


def test_the_pods_secrets_come_before_the_nodes_files():
    own = of_secrets([secret(**{"r.example": "pod"}), Secret(data={".dockerconfigjson": b"{"})])
    node = of_configuration(json.dumps({"auths": {"r.example": {"username": "node", "password": "p"}}}))
    assert who("r.example/a", own, node) == ["pod", "node"]
    assert who("r.example/a", of_configuration("nonsense"), of_configuration("[]")) == []
    assert who("r.example/a", keyring({"r.example": {"auth": "!"}})) == []


def test_an_old_dockercfg_is_read_too():
    old = Secret(data={".dockercfg": json.dumps({"r.example": {"username": "u", "password": "p"}}).encode()})
    assert of_secrets([old]).lookup("r.example/a") == [{"username": "u", "password": "p"}]


@pytest.mark.parametrize(
    ("pattern", "image", "fits"),
    [
        ("*.io", "k8s.io/a", True),
        ("*.io", "a.k8s.io/a", False),
        ("*.*.io", "a.k8s.io/a", True),
        ("k8s.io/team", "k8s.io/team/a", True),
        ("k8s.io:80", "k8s.io/a", False),
    ],
)
def test_patterns(pattern, image, fits):
    assert matches(pattern, image) is fits


CONFIG = """
kind: CredentialProviderConfig
apiVersion: kubelet.config.k8s.io/v1
providers:
- name: helper
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages: ["*.example"]
  defaultCacheDuration: 1m30s
  args: [--x]
  env: [{name: USER_NAME, value: robot}]
"""


def program(folder, body):
    file = folder / "helper"
    file.write_text("#!/bin/sh\n" + body)
    file.chmod(0o755)


async def test_a_program_is_asked_once_for_as_long_as_it_says(tmp_path):
    answer = {
        "kind": "CredentialProviderResponse",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "cacheKeyType": "Registry",
        "auth": {"*.example": {"username": "NAME", "password": "p"}},
    }
    text = json.dumps(answer).replace("NAME", "'$USER_NAME$1'")
    program(tmp_path, f"cat >>{tmp_path}/asked; echo >>{tmp_path}/asked; echo '{text}'\n")
    now = [0.0]
    plugins = Plugins(read(CONFIG), tmp_path, clock=lambda: now[0])
    for rings in await asyncio.gather(*[plugins.keyrings("r.example/a") for _ in range(3)]):
        assert who("r.example/a", *rings) == ["robot--x"]
    assert await plugins.keyrings("r.other/a") == []
    await plugins.keyrings("r.example/b")
    now[0] = 91
    await plugins.keyrings("r.example/b")
    asked = [json.loads(line)["image"] for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == ["r.example/a", "r.example/b"]


@pytest.mark.parametrize("body", ["exit 3", "echo nonsense", "echo '{}'", "sleep 0; echo '[]'"])
async def test_a_program_that_fails_is_passed_over(tmp_path, body):
    program(tmp_path, body)
    assert await Plugins(read(CONFIG), tmp_path).keyrings("r.example/a") == []
    assert await Plugins(read(CONFIG), tmp_path / "none").keyrings("r.example/a") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "not a CredentialProviderConfig"),
        (CONFIG.replace("helper", "../x"), "must be the name of a program"),
        (CONFIG.replace("kubelet.k8s.io/v1\n  match", "kubelet.k8s.io/v9\n  match"), "is not one of"),
        (CONFIG.replace("1m30s", "long"), "is not a duration"),
        (CONFIG.replace('["*.example"]', "[]"), "matchImages is required"),
        ("a: [", "not YAML"),
    ],
)
def test_bad_configurations_are_told(text, problem):
    with pytest.raises(ValueError, match=problem):
        read(text)


def test_a_configuration_that_is_not_there_is_told(tmp_path):
    assert read_file("") == []
    with pytest.raises(ValueError, match="No such file"):
        read_file(str(tmp_path / "none"))


def test_durations():
    assert [duration(t) for t in ("0s", "1h2m3s", "1.5m", "250ms")] == [0, 3723, 90, 0.25]


class Registry(FakeRuntime):
    """Pulls that want a user."""

    def __init__(self, user):
        super().__init__()
        self.user, self.tried = user, []

    async def pull(self, image, auth=None):
        self.tried.append(auth and auth["username"])
        if self.tried[-1] != self.user:
            raise RuntimeError_(f"unauthorized: {self.tried[-1]}")
        self.pullable.add(image)
        return await super().pull(image, auth)


def events():
    told = []
    return told, lambda _type, reason, message: told.append((reason, message))


async def test_every_credential_is_tried_in_turn():
    async def node(_image):
        return [keyring({"r.example": {"username": "node", "password": "p"}})]

    runtime, pulled = Registry("node"), []
    images = Images(runtime, keyrings=node, pulled=pulled.append)
    told, event = events()
    await images.ensure("u", Container(image="r.example/a:1"), secrets=[secret(**{"r.example": "pod"})], event=event)
    assert runtime.tried == ["pod", "node"]
    assert [image.id for image in pulled] == ["sha256:r.example/a:1"]
    assert [reason for reason, _ in told] == ["Pulling", "Pulled"]


async def test_what_all_credentials_are_refused_with_is_told_together():
    runtime, now = Registry(None), [0.0]
    images = Images(runtime, clock=lambda: now[0])
    two = [secret(**{"r.example/team": "a", "r.example": "b"})]
    container = Container(image="r.example/team/x:1")
    told, event = events()
    with pytest.raises(ImageProblem) as refused:
        await images.ensure("u", container, secrets=two, event=event)
    assert refused.value.failure.reason == "ErrImagePull"
    assert refused.value.failure.message == "[unauthorized: a, unauthorized: b]"
    now[0] = 2
    with pytest.raises(ImageProblem) as refused:
        await images.ensure("u", container, secrets=two, event=event)
    words = 'Back-off pulling image "r.example/team/x:1"'
    assert refused.value.failure.message == f"{words}: ErrImagePull: [unauthorized: a, unauthorized: b]"
    assert [reason for reason, _ in told] == ["Pulling", "Failed", "BackOff"]


class Busy(FakeRuntime):
    """Counts the pulls that go on side by side."""

    def __init__(self, names):
        super().__init__()
        self.pullable, self.now, self.most = set(names), 0, 0

    async def pull(self, image, auth=None):
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(10):
            await asyncio.sleep(0)
        self.now -= 1
        return await super().pull(image, auth)


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (0, 6)])
async def test_how_many_pulls_go_on_side_by_side(at_once, most):
    names = [f"i{number}" for number in range(6)]
    runtime = Busy(names)
    images, (told, event) = Images(runtime, at_once=at_once), events()
    await asyncio.gather(*(images.ensure("u", Container(image=name), secrets=[], event=event) for name in names))
    assert runtime.most == most
    assert [reason for reason, _ in told].count("Pulled") == 6


@pytest.mark.parametrize(("available", "expected"), [(16, 0), (15, 5), (0, 20)])
def test_how_much_has_to_go(available, expected):
    assert to_free(Disk(100, available), 85, 80) == expected


def test_the_longest_unused_of_ours_goes_first():
    images = [Image(id=i) for i in ("a", "b", "theirs", "running", "new")]
    pulled = {"a": 10.0, "b": 5.0, "running": 1.0, "new": 995.0}
    found = image_gc.plan(images, pulled, {"b": 500.0}, {"running"}, 1000.0)
    assert [image.id for image in found] == ["a", "b"]


async def test_images_are_collected_until_there_is_room(tmp_path):
    runtime, told, now = FakeRuntime(["theirs"]), [], [0.0]
    runtime.pullable = {"one", "two"}
    keeper = ImageKeeper(runtime, tmp_path / "pulled", lambda *event: told.append(event[1]), clock=lambda: now[0])
    images = Images(runtime, pulled=keeper.pulled)
    for name in ("one", "two"):
        await images.ensure("u", Container(image=name), secrets=[], event=lambda *_: None)
    await runtime.create(ContainerConfig(pod=PodRef("d", "p", "u"), name="c", image="two"), "box")
    now[0], runtime.disk = 1000.0, Disk(100, 19)
    assert await keeper.collect() == 0
    runtime.disk = Disk(100, 10)
    again = ImageKeeper(runtime, tmp_path / "pulled", lambda *event: told.append(event[1]), clock=lambda: now[0])
    assert await again.collect() == 1
    assert sorted(image.tags[0] for image in await runtime.images()) == ["theirs", "two"]
    assert told == ["FreeDiskSpaceFailed"]

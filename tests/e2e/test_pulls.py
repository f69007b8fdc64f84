"""Pods whose images lie in a registry (Debian's docker-registry on loopback) that wants a password."""

import base64
import contextlib
import json

import docker
import pytest

from tests.contract.test_registry import PASSWORD, USER, registry
from tests.e2e.conftest import eventually
from tests.e2e.test_features import events
from tests.e2e.test_pods import IMAGE, ended, put


@contextlib.contextmanager
def only_in_registry(docker_socket, where):
    """The name of an image that runs and is in the registry alone."""
    name, auth = f"{where}/team/web:1", {"username": USER, "password": PASSWORD}
    with contextlib.closing(docker.APIClient(base_url=f"unix://{docker_socket}", version="auto")) as engine:
        engine.tag(IMAGE, name)
        told = list(engine.push(name, stream=True, decode=True, auth_config=auth))
        assert not [line for line in told if "error" in line]
        engine.remove_image(name)
        try:
            yield name
        finally:
            with contextlib.suppress(docker.errors.ImageNotFound):
                engine.remove_image(name)


@pytest.fixture
def private(cluster, docker_socket, tmp_path):
    with registry(tmp_path, private=True) as where, only_in_registry(docker_socket, where) as name:
        yield name


def pull_secret(cluster, namespace, name, image, password):
    entry = {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}
    text = json.dumps({"auths": {image.partition("/")[0]: entry}})
    data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    meta = {"name": name, "namespace": namespace}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    cluster.apply(kind | {"metadata": meta, "data": data})


def test_an_image_of_a_private_registry_wants_the_right_secret(cluster, namespace, private):
    pull_secret(cluster, namespace, "right", private, PASSWORD)
    pull_secret(cluster, namespace, "wrong", private, "guessed")
    main = {"image": private}
    put(cluster, namespace, "wrong", command=["true"], container=main, imagePullSecrets=[{"name": "wrong"}])

    def waiting():
        rows = cluster.get("-n", namespace, "pod", "wrong")["status"].get("containerStatuses") or [{"state": {}}]
        return rows[0]["state"].get("waiting", {})

    def backing_off():
        row = waiting()
        return row["message"] if row.get("reason") == "ImagePullBackOff" else ""

    message = eventually(backing_off, why="ImagePullBackOff")
    assert message.startswith(f'Back-off pulling image "{private}": ErrImagePull: ')
    assert "unauthorized" in message
    expected = {
        ("Pulling", f'Pulling image "{private}"'),
        ("Failed", "Error: ErrImagePull"),
        ("BackOff", f'Back-off pulling image "{private}"'),
        ("Failed", "Error: ImagePullBackOff"),
    }
    eventually(lambda: events(cluster, namespace, "wrong") >= expected, why=f"{expected}")
    words = f'Failed to pull image "{private}": '
    eventually(lambda: any(message.startswith(words) for _, message in events(cluster, namespace, "wrong")), why=words)
    both = [{"name": "wrong"}, {"name": "right"}]
    put(cluster, namespace, "right", command=["true"], container=main, imagePullSecrets=both)
    status = ended(cluster, namespace, "right")
    assert status["phase"] == "Succeeded"
    (row,) = status["containerStatuses"]
    assert row["imageID"].startswith(f"docker-pullable://{private.removesuffix(':1')}@sha256:")
    told = lambda: [words for reason, words in events(cluster, namespace, "right") if reason == "Pulled"]  # noqa: E731
    (pulled,) = eventually(told, why="the event of the pull")
    assert pulled.startswith(f'Successfully pulled image "{private}" in ')
    cluster.kubectl("-n", namespace, "delete", "pod", "right", "wrong")

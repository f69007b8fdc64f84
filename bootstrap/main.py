"""pykubeadm: makes a cluster on this machine, looks after it, takes it away. One function a command, no logic here."""

import asyncio
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.console import Console

from apimachinery.errors import ApiError
from bootstrap import kubelet_configuration
from bootstrap.docker_engine import DockerMissing
from bootstrap.progress import Progress
from bootstrap.spec import DEFAULT_NAME, ClusterSpec, Ports, default_home, load
from bootstrap.up import Failed, completed, health, is_running
from bootstrap.up import up as bring_up

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
image_app = typer.Typer(help="Images on the node.", no_args_is_help=True)
app.add_typer(image_app, name="image")

Name = Annotated[str, typer.Option(help="The cluster's name.")]


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command; a failure we foresee is one clear text and exit code 1."""
    try:
        asyncio.run(work)
    except (Failed, DockerMissing, ApiError, OSError, ValueError, httpx.TransportError) as error:
        Console(stderr=True).print(f"[red]Error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Run the same command again to go on, or 'pykubeadm down'.")
        raise typer.Exit(130) from None


def _recorded(name: str) -> ClusterSpec | None:
    """The cluster as an earlier `up` described it. Its folder is root's alone."""
    try:
        return load(name, default_home())
    except PermissionError:
        Console(stderr=True).print(f"The clusters in {default_home()} belong to root: run this command with sudo.")
        raise typer.Exit(1) from None


def _existing(name: str) -> ClusterSpec:
    spec = _recorded(name)
    if spec is None:
        Console(stderr=True).print(f"There is no cluster {name!r} in {default_home()}: 'pykubeadm up' makes one.")
        raise typer.Exit(1)
    return spec


@app.command(epilog="Examples: pykubeadm up --demo · pykubeadm up --kubelet-config=kubelet.yaml")
def up(
    name: Name = DEFAULT_NAME,
    demo: Annotated[bool, typer.Option("--demo", help="Deploy the demo and fetch its page.")] = False,
    port_offset: Annotated[int, typer.Option(help="Move every port by this much, for a second cluster.")] = 0,
    service_cidr: Annotated[str, typer.Option(help="Addresses of services.")] = "10.96.0.0/16",
    pod_cidr: Annotated[str, typer.Option(help="Addresses of pods, a /24 a node.")] = "10.244.0.0/16",
    node_port_range: Annotated[str, typer.Option(help="Ports for NodePort services.")] = "30000-32767",
    node_name: Annotated[str, typer.Option(help="This machine's node name; default: its host name.")] = "",
    node_ip: Annotated[str, typer.Option(help="This machine's address; default: that of the default route.")] = "",
    docker_endpoint: Annotated[str, typer.Option(help="The Docker Engine.")] = "unix:///var/run/docker.sock",
    etcd_quota_bytes: Annotated[int, typer.Option(help="How large etcd's database may become.")] = 4 * 1024**3,
    kubelet_config: Annotated[
        Path | None,
        typer.Option(
            help="A KubeletConfiguration (YAML) to merge over ours; may be given again to change a cluster that runs.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    image_credential_provider_config: Annotated[
        Path | None,
        typer.Option(
            help="A CredentialProviderConfig (YAML): programs that know registries' passwords.",
            exists=True,
            dir_okay=False,
            resolve_path=True,
        ),
    ] = None,
    image_credential_provider_bin_dir: Annotated[
        Path | None, typer.Option(help="Where these programs are.", exists=True, file_okay=False, resolve_path=True)
    ] = None,
) -> None:
    """Make a one-node cluster on this machine, or mend the one that is there."""
    spec = _recorded(name) or completed(
        ClusterSpec(
            name=name,
            home=default_home(),
            ports=Ports.shifted(port_offset),
            service_cidr=service_cidr,
            pod_cidr=pod_cidr,
            node_port_range=node_port_range,
            node_name=node_name,
            node_ip=node_ip,
            docker_endpoint=docker_endpoint,
            etcd_quota_bytes=etcd_quota_bytes,
            image_credential_provider_config=str(image_credential_provider_config or ""),
            image_credential_provider_bin_dir=str(image_credential_provider_bin_dir or ""),
        )
    )
    _run(_up(spec, kubelet_config, demo=demo))


async def _up(spec: ClusterSpec, kubelet_config: Path | None, *, demo: bool) -> None:
    if kubelet_config is not None:
        spec = msgspec.structs.replace(spec, kubelet_configuration=kubelet_configuration.given(kubelet_config))
    progress = Progress(Console())
    progress.say(f"Cluster [bold]{spec.name}[/]")
    was_running = await bring_up(spec, progress)
    ready = progress.total()
    progress.say(f"\nThe cluster {'was running already' if was_running else f'is ready after {ready:.1f} s'}.\n")
    if not demo:
        return
    from bootstrap import demo as demo_app  # noqa: PLC0415 - the Docker SDK takes a while; the cluster starts meanwhile

    url = await demo_app.deploy(spec, progress)
    progress.say(f"\nThe demo answers after {progress.total():.1f} s. What you could type next:\n")
    for command in ("kubectl get pods -o wide", f"curl {url}", "kubectl scale deployment web --replicas=5"):
        progress.say(f"  {command}")


@app.command(epilog="Example: pykubeadm down")
def down(name: Name = DEFAULT_NAME) -> None:
    """Take the cluster away: processes, containers, networks, rules, files."""
    from bootstrap.down import down as take_down  # noqa: PLC0415 - netlink and Docker: `up` need not wait for them

    spec = _recorded(name)
    if spec is None:
        Console().print(f"There is no cluster {name!r} in {default_home()}; nothing to do.", highlight=False)
        return
    progress = Progress(Console())
    _run(take_down(spec, progress))
    progress.say(f"\nCluster {name} is gone ({progress.total():.1f} s).")


@app.command(epilog="Example: pykubeadm status")
def status(name: Name = DEFAULT_NAME) -> None:
    """Show the processes of the cluster and what they say of their health."""
    spec = _existing(name)

    async def show() -> None:
        keeper = "running" if is_running(spec) else "not running ('pykubeadm up' starts it again)"
        print(f"{'supervisor':<14} {keeper}")
        for process, state in (await health(spec)).items():
            print(f"{process:<14} {state}")

    _run(show())


@app.command(epilog="Example: pykubeadm logs apiserver --follow")
def logs(
    component: Annotated[str, typer.Argument(help="etcd, apiserver, controllers, scheduler, kubelet, proxy, dns")],
    name: Name = DEFAULT_NAME,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    tail: Annotated[int, typer.Option(help="How many of the last lines.")] = 100,
) -> None:
    """Print the log of one of the cluster's processes."""
    folder = _existing(name).logs
    file = folder / f"{component}.log"
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        Console(stderr=True).print(f"There is no component {component!r}; there are: {known}")
        raise typer.Exit(1)
    argv = ["tail", f"--lines={tail}", *(["--follow=name"] if follow else []), str(file)]
    raise typer.Exit(subprocess.call(argv))


@image_app.command("load", epilog="Example: docker save app:1 -o app.tar; pykubeadm image load app.tar")
def image_load(
    archive: Annotated[Path, typer.Argument(help="A tar as `docker save` writes it.", exists=True, dir_okay=False)],
    name: Name = DEFAULT_NAME,
) -> None:
    """Load images from an archive onto the node, so that pods need no registry."""
    from bootstrap import images  # noqa: PLC0415 - see `down`

    async def loading() -> None:
        for image in await asyncio.to_thread(images.load, _existing(name), archive):
            print(f"loaded {image}")

    _run(loading())


def main() -> None:
    """The `pykubeadm` command."""
    app()

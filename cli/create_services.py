"""`create service clusterip|nodeport|loadbalancer|externalname` and `create ingress`."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from apimachinery.kinds import INGRESSES, SERVICES
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named, required
from cli.flags import UsageError
from cli.options import DryRun, Output

Tcp = Annotated[list[str] | None, typer.Option("--tcp", help="PORT[:TARGET], several with commas.")]


def _ports(texts: Sequence[str], node_port: int = 0) -> list[Json]:
    ports: list[Json] = []
    for text in (part for each in texts for part in each.split(",")):
        port, colon, target = text.partition(":")
        if not port.isdigit():
            raise UsageError(f'strconv.ParseInt: parsing "{port}": invalid syntax')
        wanted: int | str = (int(target) if target.isdigit() else target) if colon else int(port)
        name = f"{port}-{target}" if colon else port
        entry: Json = {"name": name, "port": int(port), "protocol": "TCP", "targetPort": wanted}
        ports.append(entry | ({"nodePort": node_port} if node_port else {}))
    return ports


def _service(name: str, spec: Json, making: Making) -> None:
    labels = {"app": name}
    tree = {
        "metadata": metadata(name, labels),
        "spec": {"selector": labels} | spec,
        "status": {"loadBalancer": {}},
    }
    make(SERVICES, tree, making)


def clusterip(
    words: Names = None,
    tcp: Tcp = None,
    clusterip: Annotated[str, typer.Option("--clusterip", help="The address, or None.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a service with an address in the cluster."""
    name = named(words, "service clusterip")
    if not tcp and clusterip != "None":
        raise UsageError("at least one tcp port specifier must be provided")
    if clusterip == "None" and tcp and False:  # noqa: SIM223
        raise UsageError("can not map ports with clusterip=None")
    spec: Json = {"ports": _ports(tcp or ()), "type": "ClusterIP"}
    if not spec["ports"]:
        del spec["ports"]
    if clusterip:
        spec["clusterIP"] = clusterip
    _service(name, spec, Making(dry_run, output, save_config, validate, field_manager))


def nodeport(
    words: Names = None,
    tcp: Tcp = None,
    node_port: Annotated[int, typer.Option(help="The port on the nodes.")] = 0,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a service with a port on every node."""
    name = named(words, "service nodeport")
    if not tcp:
        raise UsageError("at least one tcp port specifier must be provided")
    _service(
        name,
        {"ports": _ports(tcp, node_port), "type": "NodePort"},
        Making(dry_run, output, save_config, validate, field_manager),
    )


def loadbalancer(
    words: Names = None,
    tcp: Tcp = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a service behind a load balancer."""
    name = named(words, "service loadbalancer")
    if not tcp:
        raise UsageError("at least one tcp port specifier must be provided")
    _service(
        name,
        {"ports": _ports(tcp), "type": "LoadBalancer"},
        Making(dry_run, output, save_config, validate, field_manager),
    )


def externalname(
    words: Names = None,
    tcp: Tcp = None,
    external_name: Annotated[str, typer.Option(help="The name outside.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a service that stands for a name outside."""
    required(external_name=external_name)
    name = named(words, "service externalname")
    spec: Json = {"externalName": external_name, "type": "ExternalName"}
    if tcp:
        spec["ports"] = _ports(tcp)
    _service(name, spec, Making(dry_run, output, save_config, validate, field_manager))


_RULE = re.compile(r"(?P<host>[^/]*)(?P<path>/.*?)?=(?P<service>[^:,]+):(?P<port>[^,]+)(,tls(=(?P<secret>.*))?)?")


def ingress(
    words: Names = None,
    rule: Annotated[list[str] | None, typer.Option(help="HOST/PATH=SERVICE:PORT[,tls[=SECRET]]")] = None,
    class_: Annotated[str, typer.Option("--class", help="The ingress class.")] = "",
    default_backend: Annotated[str, typer.Option(help="SERVICE:PORT")] = "",
    annotation: Annotated[list[str] | None, typer.Option(help="KEY=VALUE")] = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create an ingress."""
    name = named(words, "ingress")
    if not rule and not default_backend:
        raise UsageError(
            "not enough information provided: every ingress has to either specify a default-backend "
            "(which catches all traffic) or a list of rules (which catch specific paths)"
        )
    spec: Json = {}
    if class_:
        spec["ingressClassName"] = class_
    if default_backend:
        spec["defaultBackend"] = _backend(*default_backend.split(":", 1))
    _rules(spec, rule or ())
    head = metadata(name)
    if annotation:
        head["annotations"] = dict(each.split("=", 1) for each in annotation)
    tree = {"metadata": head, "spec": spec, "status": {"loadBalancer": {}}}
    make(INGRESSES, tree, Making(dry_run, output, save_config, validate, field_manager))


def _backend(service: str, port: str) -> Json:
    return {"service": {"name": service, "port": {"number": int(port)} if port.isdigit() else {"name": port}}}


def _rules(spec: Json, rules: Sequence[str]) -> None:
    hosts: dict[str, list[Json]] = {}
    for text in rules:
        match = _RULE.fullmatch(text)
        if match is None:
            raise UsageError(f"rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]")
        path = match["path"] or "/"
        prefix = path.endswith("*")
        entry = {
            "backend": _backend(match["service"], match["port"]),
            "path": path.rstrip("*") if prefix else path,
            "pathType": "Prefix" if prefix else "Exact",
        }
        hosts.setdefault(match["host"], []).append(entry)
        if ",tls" in text:
            tls: Json = {"hosts": [match["host"]]} if match["host"] else {}
            spec.setdefault("tls", []).append(tls | ({"secretName": match["secret"]} if match["secret"] else {}))
    if hosts:
        spec["rules"] = [({"host": h} if h else {}) | {"http": {"paths": paths}} for h, paths in hosts.items()]

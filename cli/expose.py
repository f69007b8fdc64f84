"""`pykubectl expose`: a service for the pods of an object. Source: kubectl/pkg/cmd/expose."""

from typing import Annotated, Any

import typer

from apimachinery.kinds import SERVICES
from apimachinery.patch import merge_patch
from apimachinery.types import Json
from cli.changing import targets
from cli.create import Making, SaveConfig, show, submit
from cli.flags import UsageError
from cli.options import DryRun, FileNames, Output, Words
from cli.session import Session, run

_KINDS = ("Deployment", "ReplicaSet", "ReplicationController", "Service", "Pod")


def expose(
    words: Words = None,
    port: Annotated[str, typer.Option(help="The service's port; several with commas.")] = "",
    target_port: Annotated[str, typer.Option(help="The pods' port: a number or a name.")] = "",
    protocol: Annotated[str, typer.Option(help="TCP|UDP|SCTP")] = "",
    name: Annotated[str, typer.Option(help="The service's name; default: the object's.")] = "",
    type: Annotated[str, typer.Option(help="ClusterIP|NodePort|LoadBalancer|ExternalName")] = "",
    cluster_ip: Annotated[str, typer.Option(help="The address; None for a headless service.")] = "",
    external_ip: Annotated[str, typer.Option(help="An address outside that leads here.")] = "",
    load_balancer_ip: Annotated[str, typer.Option(help="The load balancer's address.")] = "",
    session_affinity: Annotated[str, typer.Option(help="None|ClientIP")] = "",
    selector: Annotated[str, typer.Option(help="Labels of the pods; default: the object's.")] = "",
    labels: Annotated[str, typer.Option("--labels", "-l", help="Labels of the service.")] = "",
    overrides: Annotated[str, typer.Option(help="JSON to merge into the service.")] = "",
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
) -> None:
    """Make a service for an object's pods."""
    making = Making(dry_run, output, save_config, manager="kubectl-expose")

    async def work(session: Session) -> None:
        for kind, tree in await targets(session, words or [], filename, "", everything=False, recursive=False):
            if kind.kind not in _KINDS:
                raise UsageError(
                    f"cannot expose a {kind.kind}.{kind.group}" if kind.group else f"cannot expose a {kind.kind}"
                )
            head: Json = {"creationTimestamp": None, "name": name or tree["metadata"]["name"]}
            if own := _pairs(labels) if labels else tree["metadata"].get("labels"):
                head["labels"] = own
            if session.explicit:
                head["namespace"] = session.namespace
            spec: Json = {"ports": _ports(tree, port, target_port, protocol), "selector": _selector(tree, selector)}
            given = {"type": type, "clusterIP": cluster_ip, "loadBalancerIP": load_balancer_ip,
                     "sessionAffinity": session_affinity}  # fmt: skip
            spec |= {key: value for key, value in given.items() if value}
            if external_ip:
                spec["externalIPs"] = [external_ip]
            if cluster_ip == "None" and not spec["ports"]:
                del spec["ports"]
            service = {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec}
            service["status"] = {"loadBalancer": {}}
            if overrides:
                import msgspec  # noqa: PLC0415  (rare)

                service = merge_patch(service, msgspec.json.decode(overrides))
            done = await submit(session, SERVICES, service, making)
            _report(done, making)

    run(work)


def _report(tree: Json, making: Making) -> None:
    if making.output:
        show(tree, SERVICES, making)
        return
    suffix = {"server": " (server dry run)", "client": " (dry run)"}.get(making.dry_run, "")
    print(f"service/{tree['metadata']['name']} exposed{suffix}")


def _pairs(text: str) -> Json:
    return dict(each.split("=", 1) for each in text.split(","))


def _selector(tree: Json, text: str) -> Json:
    if text:
        return _pairs(text)
    if tree["kind"] == "Pod":
        labels: Json = tree["metadata"].get("labels") or {}
        if not labels:
            raise UsageError(
                "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed"  # noqa: E501  (one message on one line)
            )
        return labels
    selector: Any = (tree.get("spec") or {}).get("selector") or {}
    if tree["kind"] in ("Deployment", "ReplicaSet"):
        if selector.get("matchExpressions"):
            raise UsageError(
                "couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - "
                f'"{selector["matchExpressions"]}" to map-based selector format'
            )
        selector = selector.get("matchLabels")
    if not selector:
        raise UsageError(
            "couldn't retrieve selectors via --selector flag or introspection: invalid service: no selectors, therefore cannot be exposed"  # noqa: E501  (one message on one line)
        )
    return dict(selector)


def _ports(tree: Json, port: str, target: str, protocol: str) -> list[Json]:
    protocols = _protocols(tree)
    found = port.split(",") if port else [text for text, _ in protocols]
    if not found:
        raise UsageError("couldn't find port via --port flag or introspection")
    rows: list[Json] = []
    for i, text in enumerate(found):
        wanted = target or text
        known = (
            protocol
            or dict(protocols).get(wanted if wanted.isdigit() else text, "")
            or dict(protocols).get(text, "TCP")
        )
        row: Json = {"port": int(text), "protocol": known, "targetPort": int(wanted) if wanted.isdigit() else wanted}
        rows.append(row | ({"name": f"port-{i + 1}"} if len(found) > 1 else {}))
    return rows


def _protocols(tree: Json) -> list[tuple[str, str]]:
    """(port, protocol) of what is exposed."""
    spec = tree.get("spec") or {}
    if tree["kind"] == "Service":
        return [(str(row["port"]), row.get("protocol", "TCP")) for row in spec.get("ports") or ()]
    pod = spec if tree["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    return [
        (str(row["containerPort"]), row.get("protocol", "TCP"))
        for container in pod.get("containers") or ()
        for row in container.get("ports") or ()
    ]

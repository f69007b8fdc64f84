"""`describe` for services, endpoints, endpoint slices and ingresses."""

from apimachinery.errors import ApiError
from apimachinery.kinds import ENDPOINTSLICES, SERVICES
from apimachinery.types import Json
from cli.describing.configs import head
from cli.describing.writer import Writer, annotation_lines, joined, labels_lines
from cli.session import Session


async def slices_of(session: Session, namespace: str, name: str) -> list[Json]:
    """The endpoint slices of a service."""
    query = {"labelSelector": f"kubernetes.io/service-name={name}"}
    items: list[Json] = (await session.get_json(ENDPOINTSLICES.path(namespace), query))["items"]
    return items


def addresses(slices: list[Json], port_name: str) -> str:
    """`10.0.0.1:80,10.0.0.2:80 + 1 more...`; empty where nothing is ready."""
    if not slices:
        return "<none>"
    found = []
    for each in slices:
        for port in each.get("ports") or ():
            if port_name not in ((port.get("name") or ""), None) or port.get("port") is None:
                continue
            for endpoint in each.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += [f"{address}:{port['port']}" for address in endpoint["addresses"]]
    if not found:
        return ""
    more = len(found) - 3
    return ",".join(found[:3]) + (f" + {more} more..." if more > 0 else "")


async def service(session: Session, tree: Json, writer: Writer) -> bool:
    """A service with the addresses behind it."""
    head(writer, tree)
    spec, metadata = tree["spec"], tree["metadata"]
    selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    writer.line(f"Selector:\t{selector or '<none>'}")
    writer.line(f"Type:\t{spec.get('type', '')}")
    for title, key in (("IP Family Policy", "ipFamilyPolicy"),):
        if spec.get(key):
            writer.line(f"{title}:\t{spec[key]}")
    writer.line(f"IP Families:\t{joined(spec.get('ipFamilies'), '<none>')}")
    writer.line(f"IP:\t{spec.get('clusterIP', '')}")
    writer.line(f"IPs:\t{joined(spec.get('clusterIPs'), '<none>')}")
    if spec.get("externalIPs"):
        writer.line(f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("loadBalancerIP"):
        writer.line(f"Desired LoadBalancer IP:\t{spec['loadBalancerIP']}")
    if spec.get("externalName"):
        writer.line(f"External Name:\t{spec['externalName']}")
    if ingress := ((tree.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        writer.line(f"LoadBalancer Ingress:\t{', '.join(_ingress_text(each) for each in ingress)}")
    slices = await slices_of(session, metadata["namespace"], metadata["name"])
    for port in spec.get("ports") or ():
        protocol = port.get("protocol", "TCP")
        name = port.get("name") or "<unset>"
        writer.line(f"Port:\t{name}\t{port['port']}/{protocol}")
        writer.line(f"TargetPort:\t{port.get('targetPort', port['port'])}/{protocol}")
        if port.get("nodePort"):
            writer.line(f"NodePort:\t{name}\t{port['nodePort']}/{protocol}")
        writer.line(f"Endpoints:\t{addresses(slices, port.get('name') or '')}")
    writer.line(f"Session Affinity:\t{spec.get('sessionAffinity', '')}")
    if spec.get("externalTrafficPolicy"):
        writer.line(f"External Traffic Policy:\t{spec['externalTrafficPolicy']}")
    if spec.get("internalTrafficPolicy"):
        writer.line(f"Internal Traffic Policy:\t{spec['internalTrafficPolicy']}")
    if spec.get("trafficDistribution"):
        writer.line(f"Traffic Distribution:\t{spec['trafficDistribution']}")
    if spec.get("healthCheckNodePort"):
        writer.line(f"HealthCheck NodePort:\t{spec['healthCheckNodePort']}")
    if spec.get("loadBalancerSourceRanges"):
        writer.line(f"LoadBalancer Source Ranges:\t{','.join(spec['loadBalancerSourceRanges'])}")
    return True


def _ingress_text(each: Json) -> str:
    mode = f" ({each['ipMode']})" if each.get("ipMode") else ""
    return f"{each['ip']}{mode}" if each.get("ip") else str(each.get("hostname", ""))


async def endpoints(_session: Session, tree: Json, writer: Writer) -> bool:
    """Endpoints with their subsets."""
    head(writer, tree)
    writer.line("Subsets:")
    for subset in tree.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            writer.write(1, f"{title}:\t{joined([each['ip'] for each in subset.get(key) or ()], '<none>')}\n")
        if subset.get("ports"):
            writer.write(1, "Ports:\n    Name\tPort\tProtocol\n")
            writer.write(2, "----\t----\t--------\n")
            for port in subset["ports"]:
                writer.write(2, f"{port.get('name') or '<unset>'}\t{port['port']}\t{port.get('protocol', 'TCP')}\n")
        writer.line()
    return True


async def endpoint_slice(_session: Session, tree: Json, writer: Writer) -> bool:
    """An endpoint slice."""
    head(writer, tree)
    writer.line(f"AddressType:\t{tree['addressType']}")
    ports = tree.get("ports") or []
    if ports:
        writer.line("Ports:\n  Name\tPort\tProtocol")
        writer.write(1, "----\t----\t--------\n")
        for port in ports:
            writer.write(1, f"{port.get('name') or '<unset>'}\t{port.get('port', '')}\t{port.get('protocol', 'TCP')}\n")
    else:
        writer.line("Ports: <unset>")
    rows = tree.get("endpoints") or []
    writer.line("Endpoints:" if rows else "Endpoints: <none>")
    for each in rows:
        writer.write(1, f"- Addresses:\t{', '.join(each['addresses'])}\n")
        writer.write(2, "Conditions:\n")
        ready = (each.get("conditions") or {}).get("ready")
        writer.write(3, f"Ready:\t{'<unset>' if ready is None else str(ready).lower()}\n")
        writer.write(2, f"Hostname:\t{each.get('hostname') or '<unset>'}\n")
        if ref := each.get("targetRef"):
            writer.write(2, f"TargetRef:\t{ref.get('kind')}/{ref.get('name')}\n")
        writer.write(2, f"NodeName:\t{each.get('nodeName') or '<unset>'}\n")
        writer.write(2, f"Zone:\t{each.get('zone') or '<unset>'}\n")
    return True


async def ingress(session: Session, tree: Json, writer: Writer) -> bool:
    """An ingress with its rules and the addresses behind them."""
    metadata, spec = tree["metadata"], tree.get("spec") or {}
    writer.line(f"Name:\t{metadata['name']}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    writer.line(f"Namespace:\t{metadata['namespace']}")
    rows = ((tree.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    writer.line(f"Address:\t{','.join(each.get('ip') or each.get('hostname', '') for each in rows)}")
    writer.line(f"Ingress Class:\t{spec.get('ingressClassName') or '<none>'}")
    default = spec.get("defaultBackend")
    text = await _backend(session, metadata["namespace"], default) if default else "<default>"
    writer.line(f"Default backend:\t{text}")
    if spec.get("tls"):
        writer.line("TLS:")
        for each in spec["tls"]:
            hosts = joined(each.get("hosts"))
            secret = each.get("secretName")
            writer.write(1, f"{secret} terminates {hosts}\n" if secret else f"SNI routes {hosts}\n")
    writer.line("Rules:\n  Host\tPath\tBackends")
    writer.write(1, "----\t----\t--------\n")
    for rule in spec.get("rules") or ():
        if rule.get("http"):
            writer.write(1, f"{rule.get('host') or '*'}\t\n")
            for path in rule["http"].get("paths") or ():
                backend = await _backend(session, metadata["namespace"], path["backend"])
                writer.write(2, f"\t{path.get('path', '')} \t{backend}\n")
    if not spec.get("rules"):
        writer.write(1, f"*\t*\t{text}\n")
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    return True


async def _backend(session: Session, namespace: str, backend: Json) -> str:
    if not backend.get("service"):
        resource = backend.get("resource") or {}
        return f"APIGroup: {resource.get('apiGroup')}, Kind: {resource.get('kind')}, Name: {resource.get('name')}"
    name, port = backend["service"]["name"], backend["service"].get("port") or {}
    shown = port.get("name") or port.get("number", "")
    try:
        found = await session.get_json(SERVICES.path(namespace, name))
    except ApiError as error:
        return (
            f'{name}:{shown} (<error: services "{name}" not found>)'
            if error.reason == "NotFound"
            else f"{name}:{shown}"
        )
    rows = found["spec"].get("ports") or []
    match: Json = next((each for each in rows if shown in (each["port"], each.get("name"))), {})
    behind = addresses(await slices_of(session, namespace, name), match.get("name") or "")
    return f"{name}:{shown} ({behind})"

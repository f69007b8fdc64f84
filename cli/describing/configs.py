"""`describe` for config maps, secrets, namespaces, quotas, limits, priority classes and disruption budgets."""

import base64

from apimachinery.kinds import LIMITRANGES, RESOURCEQUOTAS
from apimachinery.quantity import canonical
from apimachinery.types import Json
from cli.describing.writer import Writer, annotation_lines, boolean, labels_lines
from cli.pods_of import selector_text
from cli.session import Session


def head(writer: Writer, tree: Json, *, namespace: bool = True) -> None:
    """Name, namespace, labels, annotations."""
    metadata = tree["metadata"]
    writer.line(f"Name:\t{metadata['name']}")
    if namespace:
        writer.line(f"Namespace:\t{metadata.get('namespace', '')}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))


async def config_map(_session: Session, tree: Json, writer: Writer) -> bool:
    """A config map with its data."""
    head(writer, tree)
    writer.line("\nData\n====")
    for key, value in sorted((tree.get("data") or {}).items()):
        writer.line(f"{key}:\n----\n{value}\n")
    writer.line("\nBinaryData\n====")
    for key, value in sorted((tree.get("binaryData") or {}).items()):
        writer.line(f"{key}: {len(base64.b64decode(value))} bytes")
    writer.line()
    return True


async def secret(_session: Session, tree: Json, writer: Writer) -> bool:
    """A secret: the sizes of what is in it."""
    head(writer, tree)
    writer.line(f"\nType:\t{tree.get('type', '')}")
    writer.line("\nData\n====")
    for key, value in sorted((tree.get("data") or {}).items()):
        data = base64.b64decode(value or "")
        if tree.get("type") == "kubernetes.io/service-account-token" and key == "token":
            writer.line(f"{key}:\t{data.decode()}")
        else:
            writer.line(f"{key}:\t{len(data)} bytes")
    return False


async def namespace(session: Session, tree: Json, writer: Writer) -> bool:
    """A namespace with its quotas and limits."""
    head(writer, tree, namespace=False)
    writer.line(f"Status:\t{(tree.get('status') or {}).get('phase', '')}")
    conditions = (tree.get("status") or {}).get("conditions")
    if conditions:
        writer.line("Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage")
        writer.write(1, "----\t------\t------------------\t------\t-------\n")
        for each in conditions:
            from cli.describing.writer import rfc1123  # noqa: PLC0415  (rare)

            moment = rfc1123(each.get("lastTransitionTime"))
            writer.write(
                1, f"{each['type']} \t{each['status']} \t{moment} \t{each.get('reason')} \t{each.get('message')}\n"
            )
    name = tree["metadata"]["name"]
    _quotas(writer, (await session.get_json(RESOURCEQUOTAS.path(name)))["items"])
    limits = (await session.get_json(LIMITRANGES.path(name)))["items"]
    if limits:
        writer.line(
            "\nResource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
        )
        writer.line(" ----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
        for each in limits:
            _limit_rows(writer, each, " ")
    else:
        writer.line("\nNo LimitRange resource.")
    return False


def _quotas(writer: Writer, quotas: list[Json]) -> None:
    if not quotas:
        writer.line("\nNo resource quota.")
        return
    writer.line("\nResource Quotas")
    for each in sorted(quotas, key=lambda quota: str(quota["metadata"]["name"])):
        writer.line(f"  Name:\t{each['metadata']['name']}")
        status = each.get("status") or {}
        writer.line("  Resource\tUsed\tHard\n  --------\t---\t---")
        for resource in sorted(status.get("hard") or {}):
            writer.line(f"  {resource}\t{(status.get('used') or {}).get(resource, '0')}\t{status['hard'][resource]}")


async def resource_quota(_session: Session, tree: Json, writer: Writer) -> bool:
    """A quota and what is used of it."""
    writer.line(f"Name:\t{tree['metadata']['name']}")
    writer.line(f"Namespace:\t{tree['metadata']['namespace']}")
    if scopes := (tree.get("spec") or {}).get("scopes"):
        writer.line(f"Scopes:\t{', '.join(sorted(scopes))}")
    writer.line("Resource\tUsed\tHard\n--------\t----\t----")
    status = tree.get("status") or {}
    for resource in sorted(status.get("hard") or {}):
        used = (status.get("used") or {}).get(resource, "0")
        writer.line(f"{resource}\t{canonical(used)}\t{status['hard'][resource]}")
    return False


async def limit_range(_session: Session, tree: Json, writer: Writer) -> bool:
    """Limits of a namespace."""
    writer.line(f"Name:\t{tree['metadata']['name']}")
    writer.line(f"Namespace:\t{tree['metadata']['namespace']}")
    writer.line("Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
    writer.line("----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    _limit_rows(writer, tree, "")
    return False


def _limit_rows(writer: Writer, tree: Json, space: str) -> None:
    columns = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
    for item in tree["spec"].get("limits") or ():
        resources = sorted({name for column in columns for name in item.get(column) or {}})
        for resource in resources:
            cells = "\t".join(str((item.get(column) or {}).get(resource, "-")) for column in columns)
            writer.line(f"{space}{item['type']}\t{resource}\t{cells}")


async def priority_class(_session: Session, tree: Json, writer: Writer) -> bool:
    """A priority class."""
    writer.line(f"Name:\t{tree['metadata']['name']}")
    writer.line(f"Value:\t{tree['value']}")
    writer.line(f"GlobalDefault:\t{boolean(tree.get('globalDefault'))}")
    writer.line(f"PreemptionPolicy:\t{tree.get('preemptionPolicy', '')}")
    writer.line(f"Description:\t{tree.get('description', '')}")
    annotation_lines(writer, "Annotations", tree["metadata"].get("annotations"))
    return True


async def pod_disruption_budget(_session: Session, tree: Json, writer: Writer) -> bool:
    """A disruption budget."""
    spec, status = tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{tree['metadata']['name']}")
    writer.line(f"Namespace:\t{tree['metadata']['namespace']}")
    if spec.get("minAvailable") is not None:
        writer.line(f"Min available:\t{spec['minAvailable']}")
    elif spec.get("maxUnavailable") is not None:
        writer.line(f"Max unavailable:\t{spec['maxUnavailable']}")
    writer.line(f"Selector:\t{selector_text(spec['selector']) if spec.get('selector') else '<unset>'}")
    writer.line("Status:")
    for title, key in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        writer.write(2, f"{title}:\t{status.get(key, 0)}\n")
    return True

"""`describe` for service accounts, roles and bindings."""

from apimachinery.kinds import SECRETS
from apimachinery.types import Json
from cli.describing.configs import head
from cli.describing.writer import Writer
from cli.session import Session


async def service_account(session: Session, tree: Json, writer: Writer) -> bool:
    """A service account with its secrets."""
    head(writer, tree)
    listing = await session.get_json(SECRETS.path(tree["metadata"]["namespace"]))
    known = {each["metadata"]["name"] for each in listing["items"]}
    name = tree["metadata"]["name"]
    tokens = [
        each["metadata"]["name"]
        for each in listing["items"]
        if each.get("type") == "kubernetes.io/service-account-token"
        and (each["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name") == name
    ]
    for title, names in (
        ("Image pull secrets", [each["name"] for each in tree.get("imagePullSecrets") or ()]),
        ("Mountable secrets", [each["name"] for each in tree.get("secrets") or ()]),
        ("Tokens", tokens),
    ):
        for i, each in enumerate(names or ["<none>"]):
            missing = "" if not names or each in known else " (not found)"
            writer.line(f"{title + ':' if i == 0 else ''}\t{each}{missing}")
    return True


async def role(_session: Session, tree: Json, writer: Writer) -> bool:
    """A role or cluster role with its rules, one resource a line."""
    head(writer, tree, namespace=False)
    writer.line("PolicyRule:")
    writer.write(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n")
    writer.write(1, "---------\t-----------------\t--------------\t-----\n")
    for resource, urls, names, verbs in sorted(_rows(tree.get("rules") or []), key=_order):
        cells = (resource, f"[{' '.join(urls)}]", f"[{' '.join(names)}]", f"[{' '.join(verbs)}]")
        writer.write(1, "\t".join(cells) + "\n")
    return False


Row = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _rows(rules: list[Json]) -> list[Row]:
    """Rules taken apart; those that differ in their verbs only are one."""
    rows: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for rule in rules:
        verbs = rule.get("verbs") or []
        names = rule.get("resourceNames") or []
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                text = _combined(resource, group)
                for each in names or [""]:
                    rows.setdefault((text, (), (each,) if each else ()), []).extend(verbs)
        for url in rule.get("nonResourceURLs") or ():
            rows.setdefault(("", (url,), ()), []).extend(verbs)
    return [(text, urls, names, tuple(dict.fromkeys(verbs))) for (text, urls, names), verbs in rows.items()]


def _combined(resource: str, group: str) -> str:
    plural, slash, subresource = resource.partition("/")
    full = f"{plural}.{group}" if group else plural
    return f"{full}{slash}{subresource}"


def _order(row: Row) -> str:
    """Rules are sorted by their Go text, where verbs come first."""
    plural, _, subresource = row[0].partition("/")
    resource, _, group = plural.partition(".")
    full = f"{resource}/{subresource}" if subresource else resource
    parts = (f"[{' '.join(row[3])}]", f"[{group}]", f"[{full}]", f"[{' '.join(row[2])}]", f"[{' '.join(row[1])}]")
    return ",".join(parts)


async def binding(_session: Session, tree: Json, writer: Writer) -> bool:
    """A binding with its role and subjects."""
    head(writer, tree, namespace=False)
    writer.line("Role:")
    writer.write(1, f"Kind:\t{tree['roleRef']['kind']}\n")
    writer.write(1, f"Name:\t{tree['roleRef']['name']}\n")
    writer.line("Subjects:")
    writer.write(1, "Kind\tName\tNamespace\n")
    writer.write(1, "----\t----\t---------\n")
    for each in tree.get("subjects") or ():
        writer.write(1, f"{each['kind']}\t{each['name']}\t{each.get('namespace', '')}\n")
    return False

"""What authenticators and authorizers look up, over a list of trees: for tests that need no store."""

from apimachinery.kinds import BY_KIND


class Objects:
    """A `Lookup`. A tree without an apiVersion is found by its kind alone."""

    def __init__(self, *trees):
        self.trees = list(trees)

    def get(self, kind, namespace, name):
        return next((t for t in self.list(kind, namespace) if t["metadata"]["name"] == name), None)

    def list(self, kind, namespace=""):
        rows = [t for t in self.trees if _is_of(t, kind)]
        return [t for t in rows if not namespace or t["metadata"].get("namespace") == namespace]


def _is_of(tree, kind):
    return BY_KIND[tree["apiVersion"], tree["kind"]] == kind if "apiVersion" in tree else tree["kind"] == kind.kind

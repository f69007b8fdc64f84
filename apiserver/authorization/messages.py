"""The texts of a refusal: `User "x" cannot list resource "pods" in API group "" in the namespace "y"`.

Source: apiserver/pkg/endpoints/handlers/responsewriters/errors.go.
"""

from apimachinery.errors import ApiError, forbidden
from apiserver.request import Attributes

#: Nothing in a refusal shall look like HTML.
_SAFE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def safe(text: str) -> str:
    """The text without what a browser could take for HTML."""
    return text.translate(_SAFE)


def refusal(attributes: Attributes) -> str:
    """What the user cannot do."""
    user = f'User "{attributes.user.name}" cannot {attributes.verb}'
    if not attributes.is_resource:
        return f'{user} path "{attributes.path}"'
    resource = attributes.plural + (f"/{attributes.subresource}" if attributes.subresource else "")
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return f'{user} resource "{resource}" in API group "{attributes.group}" {where}'


def denied(attributes: Attributes, reason: str = "") -> ApiError:
    """The 403 for a decision."""
    why = safe(refusal(attributes)) + (f": {reason}" if reason else "")
    if not attributes.is_resource:
        return ApiError(403, "Forbidden", f"forbidden: {why}", is_detailed=True)
    return forbidden(attributes.group, attributes.plural, attributes.name, why)

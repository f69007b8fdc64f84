"""How much was recorded, counted where it is. Source: apiserver/pkg/audit/metrics.go."""

from apiserver.metrics.stages import FILTER_SECONDS
from serving.series import COUNTER, Counter, Distribution, Family, Shown

EVENTS = Counter("apiserver_audit_event_total", "Audit events written.")
LEVELS = Counter("apiserver_audit_level_total", "Requests by how much of them is recorded.", ("level",))
ERRORS = Counter("apiserver_audit_error_total", "Audit events that were lost.", ("plugin",))
#: What the stage took before the request went on.
SECONDS = Distribution(FILTER_SECONDS)

FAMILIES: tuple[Family, ...] = (
    EVENTS,
    LEVELS,
    ERRORS,
    # An event that cannot be written is lost, and its request goes on.
    Shown(
        "apiserver_audit_requests_rejected_total",
        "Requests that were refused because they could not be recorded.",
        (),
        lambda: [((), 0)],
        type=COUNTER,
    ),
)

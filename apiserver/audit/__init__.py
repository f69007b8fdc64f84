"""Audit: who asked for what and what came of it, as audit.k8s.io/v1 events in a file, a JSON object a line.

policy      what is recorded of which request, and how much of it (pure)
events      the events of one request (pure, but for reading its bodies)
log         the stage that writes them
"""

from apiserver.audit.log import AuditLog
from apiserver.audit.policy import Policy, parse

__all__ = ["AuditLog", "Policy", "parse"]

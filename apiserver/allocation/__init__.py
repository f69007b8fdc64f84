"""Service addresses and node ports: given just before a Service is stored, never twice, and taken back in the end.

ServiceAllocator    what the write path calls: allocate -> Grant (keep or undo), release
repair              what a loop calls: takes back what a crash left behind
"""

from apiserver.allocation.repair import Repair
from apiserver.allocation.services import Grant, ServiceAllocator

__all__ = ["Grant", "Repair", "ServiceAllocator"]

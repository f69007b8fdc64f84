"""Priority and fairness: who may be answered now, who waits, who is sent away. KEP-1040.

matching        a request -> its FlowSchema (pure)
concurrency     how many seats each priority level has; lending and borrowing (pure)
queueing        one priority level's queues: shuffle sharding and fair queuing by virtual time (pure)
seats           how many seats a request takes (pure)
gate            the stage around every request
keeper          the loop that follows the objects and keeps those that must be there
dumps, metrics  what the above shows of itself
"""

from apiserver.fairness.gate import Fairness
from apiserver.fairness.keeper import Keeper

__all__ = ["Fairness", "Keeper"]

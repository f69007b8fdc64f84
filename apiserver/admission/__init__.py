"""Built-in admission: an ordered list of plugins that change or refuse what is written. `chain(...)` puts it together.

plugin.py     what a plugin sees (`Review`) and how it refuses
chain.py      the order, which are on, and the two calls of the write path
one file per plugin or family
"""

from apiserver.admission.chain import Chain, chain
from apiserver.admission.quota_accounts import Accounts

__all__ = ["Accounts", "Chain", "chain"]

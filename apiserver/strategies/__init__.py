"""What differs between kinds: `strategy_of(kind)` gives a kind's defaults, preparation, checks, selectable fields."""

from apiserver.strategies.strategy import Part, Strategy, WriteContext
from apiserver.strategies.table import strategy_of, strategy_of_version

__all__ = ["Part", "Strategy", "WriteContext", "strategy_of", "strategy_of_version"]

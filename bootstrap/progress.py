"""Shows a person what goes on: one line a step, with its time; a spinner on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Prints the steps of one command. `console` decides about colours and spinners by itself."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """One step: its title while it runs, then what came of it and how long it took."""
        step, began = Step(), time.monotonic()
        try:
            with self.console.status(f"{title} ..."):
                yield step
        except BaseException:
            self.console.print(f" [red]✗[/] {title}", highlight=False)
            raise
        took = time.monotonic() - began
        result = f"  [dim]{step.result}[/]" if step.result else ""
        self.console.print(f" [green]✓[/] {title:<34} [dim]{took:5.1f} s[/]{result}", highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def total(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self.began


class Step:
    """What a step reports when it is done."""

    result: str = ""

"""Python's cyclic collector in a process that serves for long.

Nearly everything is freed by counting references; the collector is for the rest. A full collection walks every object
there is, and nobody is answered meanwhile: with what a server has loaded and made by the time it is ready that is a
tenth of a second and more. So what is there then is never walked again, and what comes later is looked at more seldom
than Python does by itself, since a request makes and frees thousands of objects.
"""

import gc

#: How many more objects than were freed are made between two collections of the young; and every how many of these the
#: older ones are looked at, too.
YOUNG, MIDDLE, OLD = 20_000, 10, 20


def settle() -> None:
    """To be called once, when the process is ready: what there is stays."""
    gc.collect(1)  # not all: that would take as long as what is to be avoided
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)

"""Image volumes: what is in an image, to be read. Blocking: called in threads.

An image lies on the node as layers (Docker's overlay2 driver); the volume is these layers mounted over one another,
without a layer to write to. On the node nothing in it can be executed; Docker does not take that over into containers
(differs: there upstream's cannot be executed either). Source: KEP-4639.
"""

from pathlib import Path

from kubelet.runtime.protocol import Image
from kubelet.volumes import mounts
from kubelet.volumes.hostpath import PathProblem


def mount(image: Image, folder: Path, record: Path) -> None:
    """The image's content at the folder; `record` is a file that says which image it is."""
    if not image.layers:
        raise PathProblem("image volumes need Docker's overlay2 storage driver")
    mounts.unmount_below(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(image.id)
    if len(image.layers) == 1:
        mounts.bind(image.layers[0], folder, read_only=True, executable=False)
    else:
        mounts.mount_overlay([_short(Path(layer)) for layer in image.layers], folder)


def _short(layer: Path) -> str:
    """The driver has a short link to each layer: all names together must fit into one page."""
    link = layer.parent / "link"
    return str(layer.parent.parent / "l" / link.read_text().strip()) if link.is_file() else str(layer)

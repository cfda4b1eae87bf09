"""One pass over many images, and everything that can be asked of it afterwards without the network.

Names are loaded when they are first used: who only searches vectors needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .files import MANIFEST as MANIFEST
    from .files import Manifest as Manifest
    from .files import read_manifest as read_manifest
    from .index import SPACES as SPACES
    from .index import Index as Index
    from .index import Neighbour as Neighbour
    from .index import Row as Row
    from .index import merge_indexes as merge_indexes
    from .index import open_index as open_index
    from .summary import RANKINGS as RANKINGS

_HOMES = {"MANIFEST": "files", "Manifest": "files", "read_manifest": "files", "RANKINGS": "summary"} | dict.fromkeys(
    ("SPACES", "Index", "Neighbour", "Row", "merge_indexes", "open_index"), "index"
)
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

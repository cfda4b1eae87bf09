"""One pass over many images, and everything that can be asked of it afterwards without the network."""

from .build import build
from .files import MANIFEST, read_manifest
from .index import SPACES, Index, Neighbour, Row, merge_indexes, open_index
from .summary import RANKINGS

__all__ = [
    "MANIFEST",
    "RANKINGS",
    "SPACES",
    "Index",
    "Neighbour",
    "Row",
    "build",
    "merge_indexes",
    "open_index",
    "read_manifest",
]

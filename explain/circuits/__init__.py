"""Which channels feed which: weights expanded over all that lies between two convolutions, and what of them holds when
a channel is taken away."""

from .contributions import Contributions, contributions
from .edges import Edge, Edges, incoming, named, outgoing, surest
from .effects import Effect, effects
from .expanded import Expanded, expanded
from .neighbours import consumers, sources, weighted

__all__ = [
    "Contributions",
    "Edge",
    "Edges",
    "Effect",
    "Expanded",
    "consumers",
    "contributions",
    "effects",
    "expanded",
    "incoming",
    "named",
    "outgoing",
    "sources",
    "surest",
    "weighted",
]

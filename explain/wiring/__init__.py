"""Which channels feed which: weights expanded over all that lies between two convolutions, and what of them holds when
a channel is taken away."""

from .contributions import Contributions, contributions
from .effects import Effect, effects
from .expanded import Expanded, expanded
from .neighbours import consumers, sources

__all__ = ["Contributions", "Effect", "Expanded", "consumers", "contributions", "effects", "expanded", "sources"]

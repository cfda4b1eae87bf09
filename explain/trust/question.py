"""What is asked of a map, of which networks, and how alike two maps are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attribution import COMPLETENESS, METHODS, of_channel
from ..errors import NotSupported
from ..images import resize
from ..network.copying import copied
from ..network.exact import exact
from ..network.model import Model
from ..progress import Progress, listening, part
from ..registry import Entry

__all__ = [
    "CHECKED",
    "EDGES",
    "Floats",
    "Heat",
    "Question",
    "edges",
    "highest_in_common",
    "likeness",
    "phase",
    "private",
    "similarity",
    "spearman",
]

Heat = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """What a map answers: a method with all its options, asked about one picture (1, C, H, W) and one target.

    `layer` is where class activation maps look. With `unit`, a layer's name, the target is a channel of that layer.
    """

    model: Model
    entry: Entry
    options: Mapping[str, Any]
    batch: Tensor
    target: int
    layer: str
    unit: str | None = None

    def answer(self, net: nn.Module, entry: Entry | None = None, **options: Any) -> Heat:
        """The raw map (h, w) of this net; with an entry that of another method, with options those in place."""
        entry = entry or self.entry
        given = {**(self.options if entry is self.entry else entry.check({})), **options}
        with exact(self.batch.device):  # a private copy is asked without `exclusive`
            heat = entry.function(*self._given(net), **given)[0]
        return np.asarray(heat.detach().float().cpu().numpy(), np.float32)

    def expected_sum(self, net: nn.Module) -> float | None:
        """What the map says that it adds up to."""
        if self.entry.name not in COMPLETENESS or METHODS.get(self.entry.name) is not self.entry:
            return None
        of, _, *given = self._given(net)
        with exact(self.batch.device):
            return float(COMPLETENESS[self.entry.name](of, *given, **self.options)[0])

    def target_module(self, net: nn.Module) -> nn.Module:
        """The net whose outputs hold the target."""
        return of_channel(net, self.unit) if self.unit else net

    def large(self, heat: Heat) -> Heat:
        """A map at the picture's size."""
        height, width = self.batch.shape[-2:]
        return heat if heat.shape == (height, width) else np.asarray(resize(heat, (height, width)), np.float32)

    def _given(self, net: nn.Module) -> tuple[Any, ...]:
        place = f"net.{self.layer}" if self.unit else self.layer
        return self.target_module(net), place, self.batch, torch.tensor([self.target]), self.model.input_range


def private(model: Model) -> nn.Module:
    """A copy of the net, in eval mode with its weights frozen, that nobody else has. Raises NotSupported."""
    with model.exclusive() as net:
        try:
            return copied(net)
        except Exception as error:  # whatever a module's own copying raises
            reason = str(error).rstrip(".")
            raise NotSupported(f"Model {model.name!r} cannot be copied, as this check needs: {reason}.") from error


def edges(_net: nn.Module, _layer: str, batch: Tensor, _target: Tensor, _input_range: Any) -> Tensor:
    """Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of the network.

    It looks as convincing as many a map, which is why all are compared with it (Adebayo et al. 2018).
    """
    from skimage.filters import sobel

    grey = batch.mean(1).cpu().double().numpy()
    return torch.from_numpy(np.stack([sobel(one) for one in grey])).float()  # type: ignore[no-untyped-call]


EDGES = Entry("edges", edges, {}, "Edge detector")


class _Checked(Mapping[str, Entry]):
    """METHODS as they are at the time, and the control after them. Raises Unknown."""

    kind = "checked method"

    def __getitem__(self, name: str) -> Entry:
        return EDGES if name == EDGES.name else METHODS[name]

    def __contains__(self, name: object) -> bool:
        return name == EDGES.name or name in METHODS

    def __iter__(self) -> Iterator[str]:
        return iter((*METHODS, EDGES.name))

    def __len__(self) -> int:
        return len(METHODS) + 1


CHECKED: Mapping[str, Entry] = _Checked()
"""What can be asked for a map."""


def spearman(one: Heat, other: Heat) -> float:
    """Rank correlation of two maps; 0 with a map that is the same everywhere, unless both are equal."""
    from scipy.stats import rankdata

    if np.array_equal(one, other):
        return 1.0
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def likeness(one: Heat, other: Heat) -> float:
    """Rank correlation of two maps where at least one is other than zero: where both have to be zero, as maps that
    multiply by the picture are where it is black, they are alike under any weights."""
    live = (one != 0) | (other != 0)
    return spearman(one[live], other[live]) if live.any() else 1.0


def highest_in_common(one: Heat, other: Heat, share: float = 0.05) -> float:
    """Share of the highest pixels of one map that are among those of the other: what a reader sees of both."""
    count = max(1, round(share * one.size))
    ours, others = (set(np.argsort(-heat.ravel(), kind="stable")[:count].tolist()) for heat in (one, other))
    return len(ours & others) / count


def similarity(one: Heat, other: Heat) -> float | None:
    """SSIM of two maps, each scaled to 0..1; None for maps too small for its window."""
    from skimage.metrics import structural_similarity

    window = min(7, *one.shape) - (min(7, *one.shape) + 1) % 2
    if window < 3:
        return None
    scaled = _unit(one), _unit(other)
    return float(structural_similarity(*scaled, data_range=1.0, win_size=window))  # type: ignore[no-untyped-call]


def _unit(heat: Heat) -> Floats:
    low, reach = float(heat.min()), float(np.ptp(heat))
    return (heat.astype(np.float64) - low) / (reach or 1.0)


@contextmanager
def phase(progress: Progress, start: float, end: float, whole: float, message: str) -> Iterator[None]:
    """While open, what methods tell of their work is that of a part of ours."""
    inner = part(progress, start, end, whole)
    inner(0, 1, message)
    with listening(lambda done, total, _="": inner(done, total, message)):
        yield

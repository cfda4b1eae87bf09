"""How alike the layers of two networks are over the same pictures, and which channels of two layers match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import ImageSet
from ..errors import BadValue, NotSupported, enumerate_some
from ..figure import RIGHT, Chart, Figure, Line, Panel, Scale
from ..images import colour, enlarge
from ..network.drift import comparable
from ..network.model import Model
from ..network.similarity import LEAST, Similarity, gram, matched
from ..network.trace import call_of, calls
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import IMAGES, LAYER, MODEL, Layer
from .parts.result import Result
from .view import drawn, view

__all__ = ["Cka", "compute", "render"]

PARTS = {"layers": "Layers", "channels": "Matched channels"}
MOST_CELLS = 900  # that are drawn with names beside them; more are pixels
WIDTH = 600  # pixels of the grid, about
CAVEAT = (
    "CKA is 1 where the same pictures are alike in both layers, and about 0 where nothing is shared; it does not say "
    "what a layer is for."
)


@dataclass(frozen=True, eq=False)
class Cka(Result):
    """`values` (A, B) by `layers` of the first network and `second_layers` of the second, 1 where they are alike.

    `channels` of one layer of the first have `partners` in one of the second, with the `correlations` of their means
    over the pictures, the closest first.
    """

    values: NDArray[np.float64]
    layers: tuple[str, ...]
    second_layers: tuple[str, ...]
    channels: NDArray[np.int64]
    partners: NDArray[np.int64]
    correlations: NDArray[np.float64]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row two layers; none where all pictures are alike in one."""
        return {
            "layer": [name for name in self.layers for _ in self.second_layers],
            "second_layer": [name for _ in self.layers for name in self.second_layers],
            "cka": [value if math.isfinite(value) else None for value in self.values.ravel().tolist()],
        }

    @property
    def matches(self) -> dict[str, list[Any]]:
        """One row two channels."""
        return {
            "channel": self.channels.tolist(),
            "second_channel": self.partners.tolist(),
            "correlation": self.correlations.tolist(),
        }

    @property
    def measures(self) -> dict[str, Any]:
        return {"cka": self.table, "matches": self.matches}

    def layers_at(self, at: tuple[float, float]) -> tuple[str, str]:
        """The two layers of the cell at this place (x, y) of the grid."""
        return self.layers[len(self.layers) - 1 - int(at[1])], self.second_layers[int(at[0])]

    def sentence(self) -> str:
        """The layers that are most alike, and how well the channels match."""
        place = np.unravel_index(int(np.nanargmax(self.values)), self.values.shape)
        said = f"{self.layers[place[0]]} and {self.second_layers[place[1]]} are most alike ({self.values[place]:.2f}). "
        close = float((self.correlations > 0.9).mean())
        said += f"Of {len(self.channels):,} channels of {self.facts['layer']}, {close:.0%} have one in "
        return f"{said}{self.facts['second_layer']} that correlates by more than 0.9."

    @property
    def summary(self) -> str:
        best = np.nan_to_num(self.values, nan=-1).argmax(1)
        rows = zip(self.layers, best.tolist(), self.values[np.arange(len(best)), best].tolist(), strict=True)
        lines = [f"{name:30}  {self.second_layers[k]:30}  {value:.3f}" for name, k, value in rows]
        return "\n".join([*lines, self.sentence()])


@view
def compute(
    model: Annotated[Model, MODEL],
    second: Annotated[Model, MODEL],
    images: Annotated[ImageSet, IMAGES],
    *,
    layer: Annotated[str | None, LAYER] = None,
    second_layer: Annotated[str | None, Layer("of the second model", of="second", url="")] = None,
    count: Annotated[int, Range(LEAST, 10_000, help="pictures, drawn by the seed, at most")] = 256,
    batch: Annotated[int, Range(LEAST, 1024, help="pictures that are compared with each other at a time")] = 64,
    seed: Annotated[int, Range(0, 2**31 - 1, help="by which the pictures are drawn")] = 0,
    progress: Progress = unheard,
) -> Cka:
    """Linear CKA between all layers, in the unbiased minibatch form of Nguyen et al. 2021, and the channels of two
    layers matched one to one by their correlation.

    These are by default the last layer of the first network that has maps, or its last, and the one most like it.
    Raises BadValue for fewer than 4 pictures, NotSupported for a network that mixes the pictures of a batch.
    """
    chosen = np.random.default_rng(seed).permutation(len(images))[:count].tolist()
    batches = [some for k in range(0, len(chosen), batch) if len(some := chosen[k : k + batch]) >= LEAST]
    if not batches:
        raise BadValue(f"There are {len(chosen)} pictures in {images.name!r}; this needs at least {LEAST}.")
    networks = [_Followed(model, layer), _Followed(second, second_layer)]
    found = Similarity()
    for k, some in enumerate(batches):
        progress(k, len(batches), "pictures")
        pictures = [images[number] for number in some]
        one, other = (each.grams(pictures) for each in networks)
        found.add(one, other)
    progress(len(batches), len(batches), "done")
    values = found.cka()
    if np.isnan(values).all():
        raise NotSupported(f"All these pictures of {images.name!r} are alike to one of the networks.")
    first, others = networks
    layer = layer or next((one.name for one in reversed(first.layers) if one.spatial), first.names[-1])
    row = np.nan_to_num(values[first.names.index(layer)], nan=-1)
    second_layer = second_layer or others.names[int(row.argmax())]
    channels, partners, correlations = matched(first.means(layer), others.means(second_layer))
    return Cka(
        values=values,
        layers=tuple(first.names),
        second_layers=tuple(others.names),
        channels=channels,
        partners=partners,
        correlations=correlations,
        facts={"layer": layer, "second_layer": second_layer},
    )


class _Followed:
    """A network whose layers are looked at one by one, as they are passed: only their Gram matrices are held, and the
    means of their channels."""

    def __init__(self, model: Model, layer: str | None) -> None:
        if model.behaviour.alone:
            raise NotSupported(f"Model {model.name!r} takes pictures one by one; CKA compares those of a batch.")
        self.model, self.layers = model, comparable(model.layers)
        self.names = [one.name for one in self.layers]
        if layer and layer not in self.names:
            raise BadValue(
                f"Layer {layer!r} only passes on, or is a block; choose one of {enumerate_some(self.names)}."
            )
        self._means: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self.names}

    def grams(self, pictures: Sequence[Any]) -> NDArray[np.float64]:
        """(layers, n, n)."""
        found: dict[str, NDArray[np.float64]] = {}
        batch = self.model.batch(pictures)
        with self.model.exclusive() as net, torch.inference_mode(False), torch.no_grad():
            own = {call_of(net, name): name for name in self.names}

            def look(module: str, call: int, output: Any) -> None:
                name = own.get((module, call)) or own.get((module, None))
                if name is not None:
                    values = output.detach().float().flatten(1).cpu().numpy()
                    found[name] = gram(values)
                    means = values.reshape(*output.shape[:2], -1).mean(2, dtype=np.float64)
                    self._means[name].append(means)

            with calls(net, [module for module, _ in own], look):
                net(batch)
        return np.stack([found[name] for name in self.names])

    def means(self, layer: str) -> NDArray[np.float64]:
        """(N, channels)."""
        return np.concatenate(self._means[layer])


@drawn
def render(result: Cka, *, part: Annotated[str, Choices(*PARTS)] = "layers") -> Figure:
    """A square for each two layers, or the correlations of matched channels."""
    names = result.facts["model"], result.facts["second"]["model"]
    if part == "layers":
        title = f"Layers of {names[0]} and {names[1]} by CKA"
        panel: Chart | Panel = _grid(result, names)
        table, arrays = result.table, {"cka": result.values}
    else:
        title = f"Channels of {result.facts['layer']}, {names[0]}, and {result.facts['second_layer']}, {names[1]}"
        panel, table = _sorted(result), result.matches
        arrays = {"correlations": result.correlations}
    return Figure(
        title=title,
        panels=(panel,),
        columns=1,
        facts=result.facts,
        note=f"{result.sentence()} {CAVEAT}",
        arrays=arrays,
        table=table,
        alt=f"{title}. {result.sentence()}",
    )


def _grid(result: Cka, names: tuple[str, str]) -> Chart | Panel:
    rows, columns = result.values.shape
    values = np.nan_to_num(result.values).clip(0, 1)
    hues = colour(values, "viridis")
    axes = (f"layers of {names[1]}", f"layers of {names[0]}")
    if rows * columns > MOST_CELLS:
        caption = f"From top to bottom {axes[1]}, from left to right {axes[0]}, from the first to the last."
        pixels = enlarge(hues, max(1, WIDTH // max(rows, columns)))
        return Panel(pixels, caption=caption, scale=Scale("viridis", 0.0, 1.0, "CKA"))
    lines, cells = [], []
    for row, column in np.ndindex(rows, columns):
        x, y, (red, green, blue) = column + 0.5, rows - row - 0.5, hues[row, column].tolist()
        corners = [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)]
        lines.append(Line("", np.array(corners), (red, green, blue), filled=True))
        cells.append((x, y, f"{values[row, column]:.2f}", "#222222" if values[row, column] > 0.6 else "#ffffff"))
    return Chart(
        tuple(lines),
        (0.0, float(columns)),
        (0.0, float(rows)),
        axes,
        tuple((k + 0.5, name) for k, name in enumerate(result.second_layers)),
        tuple((rows - k - 0.5, name) for k, name in enumerate(result.layers)),
        height=min(1.2, max(0.2, 0.7 * rows / columns)),
        cells=tuple(cells),
    )


def _sorted(result: Cka) -> Chart:
    """From the closest pair to the farthest."""
    at = np.arange(1, len(result.correlations) + 1)
    low = min(0.0, float(result.correlations.min()))
    line = Line("", np.column_stack([at, result.correlations]), RIGHT, dots=len(at) <= 64)
    return Chart((line,), (0.0, len(at) + 1.0), (low - 0.02, 1.02), ("pair of channels", "correlation over pictures"))

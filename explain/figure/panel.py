"""Panels: pictures with a title, a colour scale and, on a contact sheet, the tiles they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images import colour
from .text import number

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scale:
    """What the colours of a panel mean, in the map's own units."""

    cmap: str
    low: float
    high: float
    label: str

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(place from 0 to 1, number): both ends, and zero when it lies between them."""
        zero = [(-self.low / (self.high - self.low), "0")] if self.low < 0 < self.high else []
        return [(0.0, number(self.low)), *zero, (1.0, number(self.high))]

    @property
    def colours(self) -> Pixels:
        """The colour map as one row of pixels."""
        return colour(np.linspace(0, 1, 256)[None], self.cmap)


@dataclass(frozen=True)
class Grid:
    """Where the tiles of a contact sheet lie, in pixels of the image as it is; a gap around each."""

    columns: int
    tile_height: int
    tile_width: int
    gap: int

    def cell(self, k: int) -> tuple[int, int, int, int]:
        """The k-th tile, row by row: y0, x0, y1, x1, half open."""
        row, column = divmod(k, self.columns)
        y = self.gap + row * (self.tile_height + self.gap)
        x = self.gap + column * (self.tile_width + self.gap)
        return y, x, y + self.tile_height, x + self.tile_width

    def fits(self, image: Pixels) -> bool:
        """Whether the image is whole rows of such tiles."""
        rows, rest = divmod(image.shape[0] - self.gap, self.tile_height + self.gap)
        return bool(rows > 0 == rest and image.shape[1] == self.cell(self.columns - 1)[3] + self.gap)

    def folded(self, image: Pixels, times: int) -> tuple[Grid, Pixels]:
        """The same tiles in the same order in rows several times as long."""
        gap, pitch, blank = self.gap, self.tile_height + self.gap, image[0, 0] if self.gap else 255
        body = image[gap:, gap:]
        height, width = -(-len(body) // pitch // times) * pitch, body.shape[1] * times
        padded = np.full((height * times, body.shape[1], 3), blank, np.uint8)
        padded[: len(body)] = body
        paper = np.full((gap + height, gap + width, 3), blank, np.uint8)
        rows = padded.reshape(-1, times, pitch, body.shape[1], 3)
        paper[gap:, gap:] = rows.swapaxes(1, 2).reshape(height, width, 3)
        return Grid(self.columns * times, self.tile_height, self.tile_width, gap), paper


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture (H, W, 3) of a figure; with a grid it is a contact sheet whose tiles may have names."""

    image: Pixels
    title: str = ""
    caption: str = ""
    scale: Scale | None = None
    names: tuple[str, ...] = ()
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(f"a panel needs uint8 (H, W, 3), not {self.image.dtype} {self.image.shape}")
        if self.grid and not self.grid.fits(self.image):
            raise ValueError(f"{self.grid} does not divide an image of {self.image.shape}")

    @property
    def tiles(self) -> list[tuple[str, Pixels]]:
        """Each named tile of a contact sheet; none unless the names reach its last row."""
        if self.grid is None or self.grid.cell(len(self.names) - 1)[2] + self.grid.gap < len(self.image):
            return []
        cells = [(name, self.grid.cell(k)) for k, name in enumerate(self.names)]
        tiles = [(name, self.image[y0:y1, x0:x1]) for name, (y0, x0, y1, x1) in cells]
        return [(name, tile) for name, tile in tiles if tile.size]

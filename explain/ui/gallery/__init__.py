"""A wall of tiles to look at and to choose from: one contact sheet, cut up in the browser.

The picture travels once, as a file with a content-hashed address; what a rerun sends is geometry and words.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

from explain.ui.component import mounted, nothing
from explain.ui.media import address

_mount = mounted("gallery", Path(__file__).parent)


def gallery(
    sheet: bytes,
    *,
    columns: int,
    tile: tuple[int, int],
    gap: int,
    count: int,
    names: Sequence[str],
    selected: int | None = None,
    values: Sequence[str] = (),
    alt: str,
    key: str,
    max_height: int = 640,
    rows_of: int | None = None,
    wall: str | None = None,
) -> int | None:
    """Show the tiles of a PNG contact sheet; return the one the user has just chosen, else None.

    Tile k stands at row `k // columns`, column `k % columns` of the sheet, `gap` pixels around and between tiles;
    `tile` is (width, height). An index is returned once, in the run its click or key caused. Pass the choice back as
    `selected`: a `selected` that differs from the one passed before moves the ring, whatever the user did since.
    Tiles flow to the width of the page unless `rows_of` fixes how many stand in a row, where a row means something.
    The browser remembers the tiles' size by `wall`, or by the key.
    """
    _check(sheet, columns, tile, gap, count, names, selected, values)
    data = {
        "sheet": address(sheet, "image/png", f"gallery-{key}"),
        "columns": columns,
        "tile": list(tile),
        "gap": gap,
        "count": count,
        "names": [str(name) for name in names],
        "values": [str(value) for value in values],
        "selected": None if selected is None else int(selected),
        "alt": alt,
        "wall": wall or key,
        "maxHeight": max_height,
        "rowsOf": rows_of,
    }
    chosen = _mount(key=key, data=data, on_choose_change=nothing).get("choose")
    # The browser may speak of a sheet that has just been replaced by a shorter one.
    return chosen if type(chosen) is int and 0 <= chosen < count else None


def _check(
    sheet: bytes,
    columns: int,
    tile: tuple[int, int],
    gap: int,
    count: int,
    names: Sequence[str],
    selected: int | None,
    values: Sequence[str],
) -> None:
    if sheet[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("the sheet is no PNG")
    if columns < 1 or count < 1:
        raise ValueError(f"columns={columns}, count={count}: both must be at least 1")
    rows = -(-count // columns)
    declared = (columns * (tile[0] + gap) + gap, rows * (tile[1] + gap) + gap)
    actual = struct.unpack(">II", sheet[16:24])
    if declared != actual:
        raise ValueError(f"{count} tiles of {tile} in {columns} columns fill {declared} pixels, the sheet has {actual}")
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} tiles")
    if len(values) not in (0, count):
        raise ValueError(f"{len(values)} values for {count} tiles: give one for each tile, or none")
    if selected is not None and not 0 <= selected < count:
        raise ValueError(f"selected={selected} is no tile: they are numbered 0 to {count - 1}")

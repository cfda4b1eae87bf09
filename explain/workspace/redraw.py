"""redraw: a figure again from the facts inside an exported one.

    redraw("cat.png").save("cat.pdf")

Facts are written by others: each parameter of a view reads and checks its own (views/inputs/), none is taken for a
path, and what is loaded is compared with the digests that the facts name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import Unknown
from ..figure import Figure, read_facts
from ..views import VIEWS, View
from ..views.facts import Facts
from .opener import Opener

__all__ = ["figure_of", "redraw", "view_of"]


def redraw(facts: Mapping[str, Any] | str | Path, *, model: Any = None, index: Any = None, image: Any = None) -> Figure:
    """The figure that these facts, or a figure's file, are of. What a file's figure was made of is looked for in its
    folder too.

    model, index, image: where the facts do not lead to them: a Model or its name; an Index or its folder; a picture,
    its path, or several. Raises ExplainError for facts that are not a view's, and where something was another then.
    """
    if isinstance(facts, str | Path):
        return figure_of(read_facts(facts), Opener(model, index, image, Path(facts).parent))
    return figure_of(facts, Opener(model, index, image))


def figure_of(facts: Mapping[str, Any], open: Opener, style: Mapping[str, Any] | None = None) -> Figure:
    """The same with what has been opened before; style: what is drawn otherwise."""
    checked = Facts(facts)
    view = view_of(checked)
    given, before = view.read(checked, open)
    figure: Figure = view(**view.flat(given), **open.handed(view)).figure(**{**before, **(style or {})})
    return figure


def view_of(facts: Facts) -> View:
    """Raises Unknown."""
    name = facts.text("view")
    if name not in VIEWS:
        raise Unknown("view in the facts:", name, VIEWS)
    return VIEWS[name]

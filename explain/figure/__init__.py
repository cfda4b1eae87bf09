"""Figure: what a view has to show, with the facts to redraw it, and the formats it is saved in.

    Figure("Title", (Panel(pixels, "left"),), facts).save("x.png")
    read_facts("x.png")

A new format is one function with `@export` in a module imported here; `encode`, `read_facts`, the app's download and
the error that lists the valid formats follow from it.
"""

from . import canvas, data, html  # noqa: F401  (they register the formats, in the order in which they are offered)
from .facts import VERSION, Facts, versions
from .figure import DPI, FORMATS, WIDTH_MM, Figure, Format, export, read_facts
from .panel import Grid, Panel, Pixels, Scale

__all__ = [
    "DPI",
    "FORMATS",
    "VERSION",
    "WIDTH_MM",
    "Facts",
    "Figure",
    "Format",
    "Grid",
    "Panel",
    "Pixels",
    "Scale",
    "export",
    "read_facts",
    "versions",
]

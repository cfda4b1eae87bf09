"""Figure: what a view has to show, with the facts to redraw it, and the formats it is saved in.

    Figure("Title", (Panel(pixels, "left"),), facts).save("x.png")
    read_facts("x.png")

A new format is one function with `@export` in a module imported here; `encode`, `read_facts`, the app's download and
the error that lists the valid formats follow from it.
"""

from ..paper import COLUMNS, PAPER, Paper
from . import canvas, data, html, parquet, zipped  # noqa: F401  (they register the formats, in the order of the offer)
from .chart import Chart, Line, bars
from .data import table_csv
from .facts import VERSION, Facts, versions
from .figure import FORMATS, Figure, Format, check_format, export, read_facts
from .html import FACTS_OPEN
from .palette import RIGHT, UNKNOWN, WRONG, class_colours
from .panel import Grid, Panel, Pixels, Scale
from .plot import SHAPES, Key, Plot
from .shown import Look, Shown, aligned

__all__ = [
    "COLUMNS",
    "FACTS_OPEN",
    "FORMATS",
    "PAPER",
    "RIGHT",
    "SHAPES",
    "UNKNOWN",
    "VERSION",
    "WRONG",
    "Chart",
    "Facts",
    "Figure",
    "Format",
    "Grid",
    "Key",
    "Line",
    "Look",
    "Panel",
    "Paper",
    "Pixels",
    "Plot",
    "Scale",
    "Shown",
    "aligned",
    "bars",
    "check_format",
    "class_colours",
    "export",
    "read_facts",
    "table_csv",
    "versions",
]

"""How a figure is put on paper: style alone, one for all views, and part of the facts where it is not the usual one.

    figure.save("x.pdf", width_mm="nature", font_pt=7, footer=False)

The options of every door are the fields of Paper. Widths of columns are those that the publishers state in their
instructions to authors: Nature 89 and 183 mm; Science 5.7, 12.1 and 18.4 cm; PNAS 8.7, 11.4 and 17.8 cm; Elsevier
(artwork sizing) 90, 140 and 190 mm; IEEE Author Center 3.5 and 7.16 inches. NeurIPS and ICLR (5.5 inches of text),
ICML (columns of 3.25, text of 6.75 inches) and CVPR (text of 6.875 inches) are those of their style files; latex is the
\\textwidth of an article at 10 pt, 345 points of TeX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from .errors import BadValue, Unknown
from .options import Choices, Option, Range

__all__ = ["COLUMNS", "PAPER", "TEXTS", "Paper"]

# Millimetres, by the publishers' guides to authors and the templates of the conferences (tueplots has the same).
COLUMNS = {
    "nature": 89.0,
    "nature-2": 183.0,
    "science": 57.0,
    "science-2": 121.0,
    "science-3": 184.0,
    "pnas": 87.0,
    "pnas-1.5": 114.0,
    "pnas-2": 178.0,
    "elsevier": 90.0,
    "elsevier-1.5": 140.0,
    "elsevier-2": 190.0,
    "ieee": 88.9,
    "ieee-2": 181.9,
    "neurips": 139.7,
    "icml": 82.55,
    "icml-2": 171.45,
    "cvpr": 82.55,
    "cvpr-2": 174.6,
    "latex": 121.3,
}
TEXTS = {"title_text": 300, "note_text": 2000}  # and of how many characters, at most


class Millimetres(float):
    """A number, or the name of a column."""

    def __new__(cls, value: Any) -> Millimetres:
        try:
            return super().__new__(cls, COLUMNS.get(value, value))
        except (TypeError, ValueError):
            raise Unknown("width", value, COLUMNS, "Or a number of millimetres.") from None


A4 = Millimetres(180)  # between its margins


@dataclass(frozen=True)
class Paper:
    """Raises Unknown and BadValue for what an option cannot be."""

    width_mm: Annotated[Millimetres, Range(40, 600, f"width on paper, or a column: {', '.join(COLUMNS)}")] = A4
    dpi: Annotated[int, Range(50, 1200, "dots per inch of a PNG")] = 200
    font_pt: Annotated[float, Range(3, 20, "size of the notes; other text, marks and margins are in proportion")] = 7.5
    title: Annotated[bool, Choices(True, False, help="the title above")] = True
    title_text: Annotated[str, Choices("", help="another title than the figure's own", more="any text")] = ""
    note: Annotated[bool, Choices(True, False, help="the sentences below, caveats among them")] = True
    note_text: Annotated[str, Choices("", help="other sentences than the figure's own", more="any text")] = ""
    footer: Annotated[bool, Choices(True, False, help="the line of facts at the foot")] = True
    in_a_row: Annotated[int, Range(0, 12, "panels side by side; 0: as many as the view sets")] = 0
    panel_height: Annotated[float, Range(0.3, 3, "of charts, maps and the most of pictures, against the usual")] = 1.0
    gap_pt: Annotated[float, Range(2, 60, "between panels")] = 8.0

    def __post_init__(self) -> None:
        for name, option in PAPER.items():
            object.__setattr__(self, name, option.check(getattr(self, name)))
        for name, most in TEXTS.items():
            if len(text := getattr(self, name)) > most:
                raise BadValue(f"Option {name} has {len(text):,} characters; at most {most:,} are drawn.")

    @classmethod
    def of(cls, given: Mapping[str, Any], usual: Paper | None = None) -> Paper:
        """The usual one with what is given. Raises Unknown for another name."""
        for name in given:
            if name not in PAPER:
                raise Unknown("option of a figure on paper:", name, PAPER)
        return cls(**{**vars(usual or USUAL), **given})

    @property
    def changed(self) -> dict[str, Any]:
        """What is not as usual, as facts have it."""
        values = {name: getattr(self, name) for name in PAPER}
        values["width_mm"] = float(self.width_mm)
        return {name: value for name, value in values.items() if value != PAPER[name].default}


_HINTS = get_type_hints(Paper, include_extras=True)
PAPER = {name: Option.of(name, hint, getattr(Paper, name)) for name, hint in _HINTS.items()}
USUAL = Paper()

"""Lines of text: which characters a page can hold, how wide they are and where they break."""

from __future__ import annotations

import re
from functools import lru_cache

from .fonts import font, ink

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Text that XML and fonts can hold: no control characters, no half surrogates, nothing that turns the line."""
    return _CONTROL.sub("", str(text))


def number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def wrap(text: str, width: float, lines: int, weight: str = "normal") -> list[str]:
    """At most so many lines, each no wider than width text sizes; what does not fit ends in an ellipsis."""
    done: list[str] = []
    for paragraph in clean(text)[:8000].splitlines():
        line = ""
        for word in paragraph.split():
            while word:
                longer = f"{line} {word}" if line else word
                if measure(longer, weight) <= width:
                    line, word = longer, ""
                elif line:
                    done, line = [*done, line], ""
                else:
                    cut = max(1, _fitting(word, width, weight))
                    done, word = [*done, word[:cut]], word[cut:]
        done += [line] if line else []
    if len(done) > lines:
        last = done[lines - 1]
        room = width - measure("…", weight)
        done = [*done[: lines - 1], last[: _fitting(last, room, weight)].rstrip() + "…"]
    return done


def shortened(text: str, width: float) -> str:
    """One line no wider than so many text sizes: of a name and its number, as of a bar, the name is cut."""
    name, between, number = text.rpartition(" · ")
    kept = between + number if name and measure(between + number) < width / 2 else ""
    return "".join(wrap(name if kept else text, width - measure(kept), 1)) + kept


def measure(text: str, weight: str = "normal") -> float:
    """Width of a line in text sizes, with two percent to spare for hinting."""
    return 1.02 * sum(_advance(character, weight) for character in text)


def _fitting(text: str, width: float, weight: str) -> int:
    """How many characters fit."""
    return next((k for k in range(len(text)) if measure(text[: k + 1], weight) > width), len(text))


@lru_cache(8192)
def _advance(character: str, weight: str) -> float:
    found = font(character, weight)
    if found is None:
        return 1.3 if ink(character) else 0.0  # drawn as a box; as live text by some other font
    found.set_size(100, 72)
    return float(found.load_char(ord(character)).linearHoriAdvance) / 65536 / 100

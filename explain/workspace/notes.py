"""Notes that a user writes on channels of a network: by its weights, so that a network of another name has them too."""

from __future__ import annotations

import json
from pathlib import Path

from .. import store
from ..errors import BadValue
from ..network.model import Model
from .folder import own

__all__ = ["LONGEST", "as_table", "note", "notes_of"]

LONGEST = 2000  # characters
MOST = 5000  # notes of a network

Notes = dict[tuple[str, int], str]


def notes_of(model: Model, words: str = "") -> Notes:
    """By layer and channel, in the order of the network; those alone that have all of these words, if any."""
    known, wanted = _read(model), words.casefold().split()
    order = {layer.name: k for k, layer in enumerate(model.layers)}
    places = sorted(known, key=lambda place: (order.get(place[0], len(order)), place))
    return {
        place: known[place]
        for place in places
        if all(word in f"{known[place]} {place[0]} {place[1]}".casefold() for word in wanted)
    }


def note(model: Model, layer: str, channel: int, text: str) -> None:
    """An empty text is none. Raises BadValue for one that is too long, or where there are too many."""
    text = text.strip()
    if len(text) > LONGEST:
        raise BadValue(f"A note has up to {LONGEST:,} characters; this one has {len(text):,}.")
    path = _path(model)
    with store.lock(path.parent):
        known = {place: words for place, words in _read(model).items() if place != (layer, channel)}
        if text:
            known[layer, channel] = text
        if len(known) > MOST:
            raise BadValue(f"A network has up to {MOST:,} notes; take one away first.")
        rows = [[*place, words] for place, words in known.items()]
        store.write(path, json.dumps({"model": model.name, "notes": rows}) + "\n")


def as_table(notes: Notes) -> dict[str, list[object]]:
    """For people, and for CSV."""
    return {
        "layer": [layer for layer, _ in notes],
        "channel": [channel for _, channel in notes],
        "note": list(notes.values()),
    }


def _read(model: Model) -> Notes:
    try:
        rows = json.loads(_path(model).read_text("utf-8"))["notes"]
        return {(str(layer), int(channel)): str(text) for layer, channel, text in rows}
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or somebody wrote something else
        return {}


def _path(model: Model) -> Path:
    return own() / "notes" / f"{model.digest[:24]}.json"

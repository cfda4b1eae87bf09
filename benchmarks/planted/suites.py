"""The suites: what decides in each, and which networks are asked.

Those that are held out were not looked at while measures and limits of the verdict were chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from .scenes import Bool, Pixels, Scene, Stamp, disc, patterns, placed

__all__ = ["SUITES", "Suite", "background"]

Maker = Callable[[np.random.Generator], Scene]


@dataclass(frozen=True)
class Suite:
    """scene: draws one. classes: how many answers. net: which kind of network, see networks.py. mean: whether its
    preprocessing takes the mean of the pictures away; if not, black is its zero."""

    name: str
    what: str
    scene: Maker
    classes: int
    net: str
    held_out: bool = False
    labels: bool = False
    mean: bool = True


SUITES: dict[str, Suite] = {}


def suite(
    what: str, classes: int, net: str, *, held_out: bool = False, labels: bool = False, mean: bool = True
) -> Callable[[Maker], Maker]:
    def add(scene: Maker) -> Maker:
        name = scene.__name__
        SUITES[name] = Suite(name, what, scene, classes, net, held_out, labels, mean)
        return scene

    return add


# ------------------------------------------------------------ what they are made of


@cache
def _clothes() -> Pixels:
    import explain

    return np.stack([np.asarray(one) for one in explain.load_images("fashion-mnist", limit=6000)])


@cache
def _photographs() -> list[Image.Image]:
    import explain

    return [Image.fromarray(np.asarray(one)).convert("RGB") for one in explain.load_images("photos")]


def background(chance: np.random.Generator, channels: int = 1, size: int = 28) -> Pixels:
    """A piece of clothing, or for a large picture a part of a photograph."""
    if size == 28:
        grey = chance.choice(_clothes())[..., None]
        tint = chance.uniform(0.5, 1, channels) if channels > 1 else np.ones(1)
        return (grey * tint).astype(np.uint8)
    whole = chance.choice(np.arange(len(_photographs())))
    picture = _photographs()[int(whole)]
    side = int(chance.uniform(0.5, 1) * min(picture.size))
    left, top = (int(chance.integers(0, edge - side + 1)) for edge in picture.size)
    return np.asarray(picture.crop((left, top, left + side, top + side)).resize((size, size)))


def _stamp(shape: Bool, at: tuple[int, int], *says: int, low: int = 0, high: int = 255) -> Stamp:
    """A pattern of black and white."""
    return Stamp(np.where(shape, high, low).astype(np.uint8)[..., None], np.ones_like(shape), at, frozenset(says))


CORNERS = ((0, 0), (0, 22), (22, 0), (22, 22))


# ------------------------------------------------------------ to choose by


@suite("a pattern of 6 x 6 in one of the corners", 10, "plain", mean=False)
def corners(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(10))
    stamp = _stamp(patterns(10, 6, 0)[label], CORNERS[chance.integers(4)], label)
    return Scene(background(chance), (stamp,), label, label)


@suite("the colour of one of two squares; the other is grey", 4, "residual")
def colour(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(4))
    bright = int(chance.integers(150, 256))
    paint = np.array([(1, 0.15, 0.15), (0.15, 1, 0.15), (0.2, 0.2, 1), (1, 1, 0.1)][label]) * bright
    sides = [int(one) for one in chance.integers(5, 9, 2)]
    at, other = placed(chance, sides, 28)
    square, grey = (np.ones((side, side), bool) for side in sides)
    said = Stamp(np.broadcast_to(paint, (*square.shape, 3)).astype(np.uint8), square, at, frozenset({label}))
    decoy = Stamp(np.full((*grey.shape, 3), chance.integers(60, 256), np.uint8), grey, other)
    return Scene(background(chance, 3), (decoy, said), label, label)


@suite("two patterns, which only together make the class", 2, "plain")
def both(chance: np.random.Generator) -> Scene:
    """In place of one or of both there may be others, which is class 0; it is asked about class 1."""
    label = int(chance.random() < 0.4)
    wrong = (False, False) if label else ((True, False), (False, True), (True, True))[chance.integers(3)]
    kinds, places = patterns(4, 6, 1), chance.permutation(4)[:2]
    stamps = tuple(
        _stamp(kinds[2 + k if other else k], CORNERS[place], *(() if other else (1,)))
        for k, (other, place) in enumerate(zip(wrong, places, strict=True))
    )
    return Scene(background(chance), stamps, label, 1)


@suite("two patterns, of which it is asked about one", 6, "residual", labels=True)
def asked(chance: np.random.Generator) -> Scene:
    one, other = (int(k) for k in chance.permutation(6)[:2])
    kinds, at = patterns(6, 6, 2), placed(chance, [6, 6], 28)
    stamps = (_stamp(kinds[one], at[0], one), _stamp(kinds[other], at[1], other))
    labels = tuple(int(k in (one, other)) for k in range(6))
    return Scene(background(chance), stamps, labels, one)


@suite("a bright square in one of four places; the network is their four sums, made by hand", 4, "sums", mean=False)
def sums(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(4))
    pixels = chance.integers(200, 256, (6, 6, 1)).astype(np.uint8)
    row, column = SQUARES[label]
    return Scene(
        background(chance) // 2,
        (Stamp(pixels, np.ones((6, 6), bool), (row, column), frozenset({label})),),
        label,
        label,
    )


SQUARES = ((3, 3), (3, 19), (19, 3), (19, 19))


@suite("a mark that speaks for one class and against the other", 2, "plain")
def against(chance: np.random.Generator) -> Scene:
    """Without the mark it is class 0; half of the questions are about that one, of pictures that have the mark."""
    marked = bool(chance.integers(2))
    kind, where = patterns(1, 6, 6)[0], chance.permutation(9)[:2]
    spots = [(row, column) for row in (0, 11, 22) for column in (0, 11, 22)]
    noise = _stamp(chance.permutation(kind.ravel()).reshape(6, 6), spots[where[1]])
    mark = _stamp(kind, spots[where[0]], 0, 1)
    target = int(chance.integers(2)) if marked else 0
    return Scene(background(chance), (noise, mark) if marked else (noise,), int(marked), target, 1 if target else -1)


# ------------------------------------------------------------ held out


def _code(kind: Bool, side: int) -> Bool:
    """A pattern of 3 x 3 enlarged to this side."""
    at = np.arange(side) * 3 // side
    return kind[at][:, at]


@suite("a pattern anywhere, of 5 to 10 pixels and of several strengths", 4, "residual", held_out=True)
def anywhere(chance: np.random.Generator) -> Scene:
    label, side = int(chance.integers(4)), int(chance.integers(5, 11))
    low, high = int(chance.integers(0, 80)), int(chance.integers(170, 256))
    stamp = _stamp(_code(patterns(4, 3, 3)[label], side), placed(chance, [side], 28)[0], label, low=low, high=high)
    return Scene(background(chance), (stamp,), label, label)


@suite("the direction of stripes in one of two discs; the other has noise", 4, "residual", held_out=True)
def texture(chance: np.random.Generator) -> Scene:
    label, side = int(chance.integers(4)), 11
    rows, columns = np.mgrid[:side, :side]
    along = (rows, columns, rows + columns, rows - columns)[label]
    striped = ((along + int(chance.integers(4))) // 2 % 2 * 200 + 40).astype(np.uint8)
    noise = chance.choice(np.array([40, 240], np.uint8), (side, side))
    at = placed(chance, [side, side], 28)
    stamps = (
        Stamp(noise[..., None], disc(side), at[1]),
        Stamp(striped[..., None], disc(side), at[0], frozenset({label})),
    )
    return Scene(background(chance), stamps, label, label)


@suite("one of four patterns, beside another of the same kind that decides nothing", 4, "residual", held_out=True)
def decoys(chance: np.random.Generator) -> Scene:
    label, other = (int(k) for k in chance.integers(4, size=2))
    kinds, at = patterns(8, 6, 4), placed(chance, [6, 6], 28)
    return Scene(
        background(chance), (_stamp(kinds[4 + other], at[1]), _stamp(kinds[label], at[0], label)), label, label
    )


@suite("a pattern twice, of which either would do", 4, "plain", held_out=True, mean=False)
def either(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(4))
    kind = patterns(4, 6, 5)[label]
    places = chance.permutation(4)[:2]
    return Scene(background(chance), tuple(_stamp(kind, CORNERS[k], label) for k in places), label, label)


@suite("a thing before a photograph; efficientnet-lite0 with a head of its own", 4, "transfer")
def pasted(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(4))
    thing = _things()[label]
    item = chance.choice(thing)
    side = int(chance.integers(64, 97))
    large = np.asarray(Image.fromarray(item).resize((side, side), Image.Resampling.BICUBIC))
    paint = chance.uniform(0.3, 1, 3) * (0.4 + 0.6 * large[..., None] / 255)
    at = placed(chance, [side], 224)[0]
    stamp = Stamp((paint * 255).astype(np.uint8), large > 40, at, frozenset({label}))
    return Scene(background(chance, 3, 224), (stamp,), label, label)


@cache
def _things() -> list[Pixels]:
    """Trousers, bags, sneakers and shirts with long sleeves."""
    import explain

    images = explain.load_images("fashion-mnist", limit=2000)
    labels = np.asarray(images.labels)
    pixels = np.stack([np.asarray(one) for one in images])
    return [pixels[labels == kind] for kind in (1, 8, 7, 2)]


@suite("a pattern anywhere; the network finds it by filters made by hand", 4, "filters", held_out=True, mean=False)
def filters(chance: np.random.Generator) -> Scene:
    label = int(chance.integers(4))
    stamp = _stamp(patterns(4, 6, 7)[label], placed(chance, [6], 28)[0], label)
    return Scene(background(chance), (stamp,), label, label)

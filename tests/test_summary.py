"""Summaries against brute force over all maps at once: exact, whatever the batches, shards and their order."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.index.bins import NOBODY, edges
from explain.index.build import _Later
from explain.index.responses import respond
from explain.index.summary import RANKINGS, Summary, merge


def summed(maps, lots, k, batch, first=0):
    summary = Summary.empty(maps.shape[1], k)
    for at in range(0, len(maps), batch):
        part = maps[at : at + batch]
        summary.add(part, np.arange(first + at, first + at + len(part), dtype=np.int32), lots[at : at + batch])
    return summary


def brute(maps, lots, k):
    """By sorting everything: the images and places of each ranking."""
    values = maps.numpy().reshape(*maps.shape[:2], -1)
    peaks = np.where(np.isnan(values).any(2), np.nan, values.max(2))
    broken = np.isnan(peaks)
    keys = {
        "best": np.where(broken, -np.inf, peaks),
        "lowest": np.where(broken, -np.inf, -peaks),
        "random": np.broadcast_to(lots[:, None], peaks.shape),
    }
    numbers = np.arange(len(maps))
    order = {
        kind: np.stack([np.lexsort((numbers, -key[:, c]))[:k] for c in range(key.shape[1])])
        for kind, key in keys.items()
    }
    return peaks, order, values


def check(summary, maps, lots, k):
    peaks, order, values = brute(maps, lots, k)
    width = maps.shape[3]
    for kind in RANKINGS:
        ranked, images = summary.ranked[kind], order[kind]
        real = images.shape[1]
        assert (ranked.image[:, :real] == images).all(), kind
        assert (ranked.image[:, real:] == NOBODY).all()
        for c, row in enumerate(images):
            np.testing.assert_array_equal(ranked.score[c, :real], peaks[row, c])
            for slot, image in enumerate(row):
                if np.isnan(peaks[image, c]):
                    continue
                assert divmod(int(values[image, c].argmax()), width) == (ranked.row[c, slot], ranked.column[c, slot])
    sound = ~np.isnan(peaks)
    for c in range(maps.shape[1]):
        mine = values[sound[:, c], c].astype(np.float64)
        np.testing.assert_allclose(summary.total[c], mine.sum(), rtol=1e-6, atol=1e-6 * abs(mine).sum())
        np.testing.assert_allclose(summary.squares[c], (mine**2).sum(), rtol=1e-5)
        if mine.size:
            assert (summary.least[c], summary.most[c]) == (mine.min(), mine.max())
        assert summary.broken[c] == (~sound[:, c]).sum()
        assert summary.silent[c] == (peaks[:, c] <= 0).sum()
        inside = peaks[sound[:, c], c].astype(np.float64)
        assert summary.counts[c].sum() == len(inside)
        for (low, high), count in zip(pairwise(edges()), summary.counts[c], strict=True):
            if low >= 0:
                assert count == ((inside >= low) & (inside < high)).sum()
            elif high <= 0:
                assert count == ((inside > low) & (inside <= high)).sum()
            else:
                assert count == ((inside > low) & (inside < high)).sum()


@st.composite
def cases(draw):
    count, channels = draw(st.integers(1, 23)), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    maps = torch.randn(count, channels, height, width, generator=generator)
    if draw(st.booleans()):
        maps = (maps * 2).round() / 2  # ties, among images and positions
    for _ in range(draw(st.integers(0, 3))):
        index = tuple(draw(st.integers(0, size - 1)) for size in maps.shape)
        maps[index] = draw(st.sampled_from([float("nan"), 1e15, -1e15]))
    if draw(st.booleans()):
        maps = maps.contiguous(memory_format=torch.channels_last)
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=3)))
    return (
        maps,
        draw(st.integers(1, 6)),
        draw(st.integers(1, 8)),
        [0, *cuts, count],
        draw(st.permutations(range(len(cuts) + 1))),
    )


@settings(max_examples=150, deadline=None)
@given(cases())
def test_any_batches_and_shards_in_any_order_equal_brute_force(case):
    maps, k, batch, cuts, order = case
    lots = np.random.default_rng(len(maps)).random(len(maps)).astype(np.float32)
    check(summed(maps, lots, k, batch), maps, lots, k)
    parts = [summed(maps[a:b], lots[a:b], k, batch).renumbered(np.arange(a, b)) for a, b in pairwise(cuts) if b > a]
    parts = [parts[i] for i in order if i < len(parts)]
    check(merge(parts, k), maps, lots, k)
    if len(parts) > 2:
        left = merge([merge(parts[:2], k), *parts[2:]], k)
        right = merge([parts[0], merge(parts[1:], k)], k)
        for kind in RANKINGS:
            assert (left.ranked[kind].image == right.ranked[kind].image).all(), "associative"


def test_all_negative_channels_have_their_best_images():
    maps = -1 - torch.rand(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    summary = summed(maps, np.zeros(5, np.float32), 3, 2)
    assert (summary.ranked["best"].score < -1).all()
    assert (summary.silent == 5).all()


def test_class_sums():
    maps = torch.randn(9, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    maps[5, 1, 2, 3] = maps[6, 0, 0, 0] = torch.nan
    classes = np.array([4, 1, 4, -1, 1, 1, 7, 4, -1])
    peaks = maps.amax((2, 3)).numpy()
    first, second = summed(maps[:4], np.zeros(4, np.float32), 2, 4), summed(maps[4:], np.zeros(5, np.float32), 2, 5)
    first.add_classes(peaks[:4], classes[:4])
    second.add_classes(peaks[4:], classes[4:])
    whole = merge([second, first.renumbered(np.arange(4))], 2)
    assert whole.groups.tolist() == [1, 4, 7]
    assert whole.members.tolist() == [3, 3, 1]
    for group, sums, missing in zip(whole.groups, whole.peaks, whole.missing, strict=True):
        np.testing.assert_allclose(sums, np.nansum(peaks[classes == group], 0), rtol=1e-5)
        assert (missing == np.isnan(peaks[classes == group]).sum(0)).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_large_maps_keep_their_digits(layout):
    maps = (1000 + torch.randn(2, 64, 112, 112, generator=torch.Generator().manual_seed(0))).contiguous(
        memory_format=layout
    )
    found, exact = respond(maps), maps.double()
    np.testing.assert_allclose(found.total, exact.sum((2, 3)).numpy(), rtol=1e-7)
    np.testing.assert_allclose(found.squares, exact.square().sum((2, 3)).numpy(), rtol=1e-7)
    assert (found.peak == maps.amax((2, 3)).numpy()).all()


def test_what_a_gpu_sends_in_one_piece_is_what_a_cpu_finds():
    """On the CPU here: maps with ties, infinities and a NaN, vectors, and the tensors behind them."""
    chance = torch.Generator().manual_seed(0)
    maps, vectors = torch.randn(5, 7, 9, 6, generator=chance).round(decimals=1), torch.randn(5, 11, generator=chance)
    maps[0, 0, 3, 2], maps[1, 1, 0, 5] = float("nan"), float("inf")
    scores, later = torch.randn(5, 3, generator=chance), _Later()
    for name, output in (("maps", maps), ("vectors", vectors)):
        later.add(name, output)
    later.send(vectors, scores)
    assert [torch.equal(*pair) for pair in zip(later.received(), (vectors, scores), strict=True)] == [True, True]
    for (name, found, positions), output in zip(later.found(), (maps, vectors), strict=True):
        assert positions == (54 if name == "maps" else 1)
        expected = respond(output)
        sound = ~np.isnan(expected.peak)
        np.testing.assert_array_equal(found.peak, expected.peak)
        for part in ("row", "column", "least"):
            np.testing.assert_array_equal(getattr(found, part)[sound], getattr(expected, part)[sound])
        for part in ("total", "squares"):
            np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-5, atol=1e-5)

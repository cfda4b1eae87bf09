"""What the app keeps for all visitors is bounded in bytes."""

import gc
import threading
import weakref
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

import explain
from explain import memory
from explain.ui import caches
from explain.ui.shelf import Shelf, size_of


def kept(shelf):
    return list(shelf._entries)


def test_the_oldest_goes_first_and_what_was_asked_for_last_stays():
    shelf = Shelf(100, len)
    for key, count in (("a", 40), ("b", 40)):
        shelf.get(key, lambda: b"." * count)
    shelf.get("a", lambda: pytest.fail("it is there"))
    shelf.get("c", lambda: b"." * 40)
    assert (kept(shelf), shelf.bytes) == (["a", "c"], 80)
    assert len(shelf.get("large", lambda: b"." * 500)) == 500
    assert kept(shelf) == ["large"]
    shelf.get("d", lambda: b".")
    assert kept(shelf) == ["d"]


@pytest.mark.parametrize(("free", "most"), [(10_000, 100), (500, 50)])
def test_the_bound_is_the_smaller_of_the_bytes_and_the_share(monkeypatch, free, most):
    monkeypatch.setattr(memory, "free", lambda: free)
    shelf = Shelf(100, len, share=0.1)
    for number in range(40):
        shelf.get(str(number), lambda: b"." * 10)
    assert shelf.bytes == most


@pytest.mark.parametrize("shelf", [caches._results, caches._pictures])
def test_a_server_of_much_memory_does_not_grow_for_hours(shelf):
    """A share of free memory was all that bounded results: 1.9 GB of 24, which took 32 visitors more than an hour."""
    for number in range(12):
        shelf.get(f"large {number}", lambda: np.empty(64 << 20, np.uint8))  # whose pages nobody touches
    assert shelf.bytes <= 256 << 20
    shelf.drop(lambda key: key.startswith("large"))


def test_what_goes_is_told():
    gone = []
    shelf = Shelf(10, len, gone.append)
    for word in ("first", "second", "third"):
        shelf.get(word, lambda: word)
    assert gone == ["first", "second"]


def test_one_visitor_makes_it_and_the_others_wait():
    shelf, made, together = Shelf(10), [], threading.Barrier(8)

    def make():
        made.append(threading.get_ident())
        return object()

    def visit(found):
        together.wait(10)
        found.append(shelf.get("key", make))

    found = []
    threads = [threading.Thread(target=visit, args=(found,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1
    assert len(set(map(id, found))) == 1


def test_what_failed_is_made_again():
    shelf = Shelf(10)
    for error in (ValueError, SystemExit):
        with pytest.raises(error):
            shelf.get("key", lambda: (_ for _ in ()).throw(error()))
    assert shelf.get("key", lambda: 3) == 3


@dataclass(frozen=True)
class Result:
    maps: list
    facts: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    ("value", "least"),
    [
        (Result([np.zeros((100, 100), np.float32)] * 3), 40_000),
        (Result([np.zeros((100, 100), np.float32) for _ in range(3)]), 120_000),
        (Result([np.zeros((1000, 100), np.float32)[:1]]), 400_000),
        (Result([], {"a": {"b": b"." * 5000}}), 5000),
        ([Image.new("RGB", (100, 50))], 15_000),
        ((np.array([b"." * 5000, None], object),), 5000),
        ({"model": "x" * 100}, 100),
    ],
)
def test_sizes(value, least):
    assert least <= size_of(value) < least + 2000


def test_networks_and_sets_are_others():
    model, images = explain.load_model("lenet-fashion-mnist"), explain.load_images("photos")
    assert size_of({"model": model, "images": images}) < 2000


def test_a_size_is_found_of_what_holds_itself():
    holds: list = [1]
    holds.append(holds)
    assert size_of(holds) < 500


def test_a_network_that_goes_leaves_nothing_that_holds_it(monkeypatch, tmp_path):
    """Indexes and results of it hold it; four of any size were kept of each, with their networks."""
    model = explain.load_model("lenet")
    monkeypatch.setattr(caches, "_models", Shelf(1.5 * model.nbytes, lambda one: one.nbytes, caches._forget))
    assert caches.model("lenet").nbytes == model.nbytes == sum(p.nbytes for p in _parameters(model))
    folder = tmp_path / "index"
    explain.build_index(caches.model("lenet"), explain.load_images("fashion-mnist")[:8], out=folder)
    found = caches.index(caches.model("lenet"), folder)
    assert caches.cached(lambda index: (index,), found)[0] is found
    held = weakref.ref(caches.model("lenet"))
    del found
    assert caches.model("lenet?conv1=7").name
    gc.collect()
    assert held() is None
    assert len(caches._models) == 1


def test_indexes_are_bounded_in_bytes_and_leave_nothing_that_holds_them(monkeypatch, tmp_path):
    """They counted nothing, on a shelf of their own as within a result; their pixels alone are 12 KB a picture."""
    model, images = caches.model("lenet"), explain.load_images("fashion-mnist")
    for name, first in (("one", 0), ("other", 64)):
        explain.build_index(model, images[first : first + 64], out=tmp_path / name)
    found = caches.index(model, tmp_path / "one")
    assert caches.cached(lambda index: (index,), found)[0] is found
    monkeypatch.setattr(caches._indexes, "_most", 64 * 28 * 28 * 4 * 1.5)
    held = weakref.ref(found)
    del found
    caches.index(model, tmp_path / "other")
    gc.collect()
    assert held() is None
    assert len(caches._indexes) == 1


def test_an_index_holds_what_it_says(tmp_path):
    index = explain.build_index(explain.load_model("lenet"), explain.load_images("fashion-mnist")[:64], out=tmp_path)
    said = index.nbytes
    for name in ("features", "pixels", "labels", "predictions", "probabilities", "loss", "_summaries"):
        getattr(index, name)
    held = [value for value in vars(index).values() if value is not index.model]
    assert said / 2 < size_of(held) < 1.1 * said


def _parameters(model):
    with model.exclusive() as net:
        return list(net.parameters())


def test_pictures_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(caches, "_pictures", Shelf(1_000_000))
    for number in range(8):
        assert caches._opened(f"photos/{number}", "").width
    assert caches._pictures.bytes <= 1_000_000 or len(caches._pictures) == 1

"""The explorer without a browser: what travels, and what a page holds."""

import base64
import html.parser
import json
import re
import struct

import numpy as np
import pytest

from explain.columns import columns_of
from explain.errors import BadValue
from explain.explorer import Cloud, Mark, Thumbs, bytes_per_point, describe, pack, page, words
from explain.images import png

EVIL = "</script><img src=x onerror=alert(1)>\x00\x1b\ud800&quot;\u202e"
FACTS = '<script type="application/json" id="explain-facts">{"a": "\\u003c"}</script>'


def cloud(n=20, axes=(2,), many=3, **changes):
    random = np.random.default_rng(0)
    parts = {
        "titles": tuple(f"map {k}" for k in range(len(axes))),
        "maps": tuple(random.normal(3, (10, 1, 4)[:d], (n, d)).astype(np.float32) for d in axes),
        "files": tuple(f"file {k}.png" for k in range(n)),
        "classes": tuple(f"class {k}" for k in range(many)),
        "labels": random.integers(-1, many, n),
        "predictions": random.integers(-1, many, n),
        "confidence": np.where(random.random(n) < 0.3, np.nan, random.random(n)),
        "trust": tuple(random.random(n) for _ in axes),
        "kept": (),
        "colours": random.integers(0, 256, (many, 3), np.uint8),
    }
    return Cloud(**{**parts, **changes})


def unpack(blob: bytes) -> dict:
    """The layout as the docstring of explain.explorer.cloud tells it."""
    magic, n, count, known = struct.unpack_from("<4sIHH", blob)
    assert magic == b"XPLR"
    heads = [struct.unpack_from("<I3ff", blob, 12 + 20 * m) for m in range(count)]
    at = 12 + 20 * count

    def column(kind):
        nonlocal at
        found = np.frombuffer(blob, kind, n, at)
        at += found.nbytes
        return found

    maps = []
    for axes, *lowest, step in heads:
        maps.append(np.stack([lowest[a] + step * column("<u2").astype(float) for a in range(axes)], 1))
    found = {"maps": maps, "steps": [head[-1] for head in heads]}
    found["labels"], found["predictions"] = column("<u2"), column("<u2")
    found["groups"] = [column("<u2") for _ in range(known >> 2 & 63)]
    found["confidence"] = column("u1")
    found["trust"] = [column("u1") for _ in range(count)] if known & 1 else []
    found["kept"] = [column("u1") for _ in range(count)] if known & 2 else []
    found["numbers"] = [column("u1") for _ in range(known >> 8)]
    assert at == len(blob)
    return found


def test_a_tables_columns_travel():
    random = np.random.default_rng(1)
    texts = {
        "shift": [("early", "late", None)[k] for k in random.integers(0, 3, 40)],
        "length": [None if k == 7 else str(1.5 * k - 3) for k in range(40)],
        "grade": [f"{k % 3}" for k in range(40)],
        "identifier": [f"part-{k}" for k in range(40)],
        "nothing": [""] * 40,
    }
    made = columns_of(texts | {"many": [f"x{k}" for k in range(40)]})
    assert list(made) == ["shift", "length", "grade", "identifier", "many"]
    assert made["grade"].groups == ("0", "1", "2"), "so few numbers are groups"
    assert not columns_of({"identifier": [f"part-{k}" for k in range(500)]}), "as many as pictures tell nothing"
    sent = cloud(40, columns=tuple(made.values()))
    found, said = unpack(pack(sent)), json.loads(words(sent))
    assert [one["name"] for one in said["groups"]] == ["shift", "grade", "identifier", "many"]
    for told, numbers in zip(said["groups"], found["groups"], strict=True):
        back = [None if k == 65535 else told["names"][k] for k in numbers.tolist()]
        assert back == (texts | {"many": [f"x{k}" for k in range(40)]})[told["name"]]
    (told,) = said["numbers"]
    assert (told["name"], told["low"], told["high"]) == ("length", -3.0, 55.5)
    back = told["low"] + found["numbers"][0] / 254 * (told["high"] - told["low"])
    known = np.arange(40) != 7
    assert np.abs(back - (1.5 * np.arange(40) - 3))[known].max() <= 58.5 / 254 / 2 + 1e-9
    assert found["numbers"][0][7] == 255


def test_groups_of_columns_have_colours_as_classes_have():
    """And other colours are of the same pictures: what was picked stays so."""
    column = columns_of({"many": [f"x{min(k // 3, 20)}" for k in range(80)]})["many"]
    for palette, own in (("nine", 9), ("many", 21)):
        sent = cloud(80, columns=(column,), palette=palette)
        told = describe(sent, lambda *_: "", "")
        assert sent.identity == cloud(80, columns=(column,)).identity
        (hues,) = told["columns"]
        assert len(hues) == 21
        assert sum(hue != told["other"] for hue in hues) == len(set(hues) - {told["other"]}) == own
        assert hues[column.groups.index("x20")] != told["other"], "the most frequent"


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
@pytest.mark.parametrize("many", [1, 500])
def test_numbers_come_back_within_half_a_step(axes, many):
    sent = cloud(200, axes, many, kept=tuple(np.linspace(0, 1, 200) for _ in axes))
    found = unpack(pack(sent))
    for points, back, step in zip(sent.maps, found["maps"], found["steps"], strict=True):
        assert np.abs(points - back).max() <= step * 0.51
        assert step == pytest.approx(np.ptp(points, 0).max() / 65535), "one step for all axes: equal aspect"
    for name in ("labels", "predictions"):
        assert (np.where(found[name] == 65535, -1, found[name].astype(int)) == getattr(sent, name)).all()
    unknown = np.isnan(sent.confidence)
    assert (found["confidence"][unknown] == 255).all()
    assert np.abs(found["confidence"][~unknown] / 254 - sent.confidence[~unknown]).max() <= 0.5 / 254 + 1e-9
    for name in ("trust", "kept"):
        for column, back in zip(getattr(sent, name), found[name], strict=True):
            assert np.abs(back / 254 - column).max() <= 0.5 / 254 + 1e-9


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.full((7, 3), 5.0), np.array([[-3e5, 0], [3e5, 1e-3]])])
def test_degenerate_maps(points):
    n, axes = points.shape
    found = unpack(pack(cloud(n, (axes,), maps=(points.astype(np.float32),))))
    assert np.abs(found["maps"][0] - points).max() <= np.ptp(points, 0).max() / 65535


def test_bytes_per_point():
    assert bytes_per_point(cloud(10_000, trust=())) == pytest.approx(9, abs=0.01)
    assert bytes_per_point(cloud(10_000, (2, 3))) == pytest.approx(17, abs=0.01)


def test_work_is_done_once():
    one = cloud()
    assert pack(one) is pack(one)
    assert words(one) is words(one)
    assert one.identity == cloud(maps=(np.zeros((20, 2), np.float32),)).identity, "the same pictures elsewhere"
    assert one.identity != cloud(files=("other",) * 20).identity


def test_words_are_on_one_line_and_without_what_no_font_shows():
    said = json.loads(words(cloud(1, files=(EVIL + "\n\tx",), classes=(EVIL, "", "ü"))))
    assert said["classes"] == ["</script><img src=x onerror=alert(1)>&quot;", "", "ü"]
    assert said["files"] == [said["classes"][0] + "  x"]


def test_what_does_not_fit_together_is_refused():
    n = 20
    sheet = png(np.zeros((28, 28), np.uint8))
    wrong = {
        "titles": (),
        "maps": (np.zeros((n, 4)),),
        "labels": np.full(n, 3),
        "predictions": np.full(n, -2),
        "confidence": np.zeros(n - 1),
        "trust": (np.zeros(n),) * 2,
        "kept": (np.zeros((n, 1)),),
        "colours": np.zeros((3, 3)),
        "thumbs": Thumbs((sheet, sheet), 14, 2, 4),
        "marks": (Mark("m", (np.zeros(3),)),),
    }
    for name, value in wrong.items():
        with pytest.raises(BadValue, match=r"\d"):
            cloud(**{name: value})
    with pytest.raises(BadValue, match="2 points"):
        cloud(maps=(np.r_[np.zeros((18, 2)), [[np.nan, 0], [np.inf, 0]]],))
    with pytest.raises(BadValue, match="at least one"):
        cloud(0)
    with pytest.raises(BadValue, match="image/png"):
        Thumbs((b"GIF89a",), 14, 2, 4)
    with pytest.raises(BadValue, match="tile=0"):
        Thumbs((sheet,), 0, 2, 4)


class Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self.scripts, self.open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = dict(attrs).get("id", "module") if tag == "script" else None

    def handle_data(self, data):
        if self.open:
            self.scripts[self.open] = self.scripts.get(self.open, "") + data

    def handle_endtag(self, tag):
        self.open = None


def test_a_page_is_inert_and_whole():
    n = 20
    sheet = png(np.zeros((28 * 5, 28 * 4), np.uint8))
    sent = cloud(
        n, (2, 3), titles=(EVIL, "b"), classes=(EVIL, "b", "c"), files=(EVIL,) * n, thumbs=Thumbs((sheet,), 28, 4, 20),
        marks=(Mark(EVIL, (np.zeros(2), np.zeros(3)), sheet),),
    )  # fmt: skip
    text = page(sent, EVIL, EVIL, FACTS).decode()
    tags = Tags(text)
    assert FACTS in text
    assert not [tag for tag, _ in tags.found if tag == "img"]
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]
    told = json.loads(tags.scripts["explain-explorer"])
    assert base64.b64decode(told["points"].partition(",")[2]) == pack(sent)
    assert base64.b64decode(told["words"].partition(",")[2]) == words(sent)
    assert base64.b64decode(told["thumbs"]["sheets"][0].partition(",")[2]) == sheet
    assert told["thumbs"]["sheets"][0].startswith("data:image/png;base64,")
    assert not re.search("https?:", text), "nothing is elsewhere"
    assert "default-src 'none'" in text


def test_what_is_described_is_plain_json():
    addresses = []
    told = describe(cloud(marks=(Mark("m", (np.array([1.5, 2]),)),)), lambda *file: addresses.append(file) or "", "a")
    assert json.loads(json.dumps(told)) == told
    assert [kind for _, kind, _ in addresses] == ["application/octet-stream", "application/json"]
    assert told["marks"] == [{"name": "m", "places": [[1.5, 2.0]], "thumb": None}]


def test_what_the_browser_says_is_not_believed():
    from explain.ui.explorer import _opened, _picked

    sent = cloud(20)
    bits = base64.b64encode(np.packbits(np.arange(20) % 3 == 0, bitorder="little").tobytes()).decode()
    assert _picked({"of": sent.identity, "bits": bits}, sent).tolist() == list(range(0, 20, 3))
    assert _picked({"of": sent.identity, "bits": bits}, sent).dtype == np.int64
    assert _opened({"of": sent.identity, "index": 19}, sent) == 19
    beyond = base64.b64encode(b"\xff\xff\xff").decode()
    for bad in (bits[:-1], bits + "AAAA", "", "????", "ÄÄÄÄ", beyond, 5, None, [bits]):
        assert len(_picked({"of": sent.identity, "bits": bad}, sent)) == 0, bad
    for bad in (20, -1, True, 1.0, "1", None):
        assert _opened({"of": sent.identity, "index": bad}, sent) is None
    for bad in (None, 3, {"of": "other", "bits": bits, "index": 1}, {"bits": bits, "index": 1}, []):
        assert len(_picked(bad, sent)) == 0
        assert _opened(bad, sent) is None

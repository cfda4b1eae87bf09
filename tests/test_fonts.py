"""Fonts: a character that the figure's own font lacks is drawn by one of the machine's, or said to be a box."""

import io

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from explain.figure import Figure, Panel, fonts, text

HANGUL, CHINESE, HINDI = "\uac00", "\u732b", "\u0939"


def made(path, family, characters, style="Regular"):
    """A font in which these characters are filled squares."""
    builder = FontBuilder(1000, isTTF=True)
    names = {ord(character): f"u{ord(character):04X}" for character in characters}
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for name in names.values():
        pen = TTGlyphPen(None)
        for k, corner in enumerate([(0, 0), (0, 900), (900, 900), (900, 0)]):
            (pen.lineTo if k else pen.moveTo)(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": style, "psName": family.replace(" ", "")})
    builder.setupOS2(usWeightClass=700 if style == "Bold" else 400)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def machine(monkeypatch):
    """A machine with only these fonts, besides the figure's own."""
    before = list(font_manager.fontManager.ttflist)

    def clear():
        for cached in (fonts._faces, fonts._fallback, text._advance):
            cached.cache_clear()

    def machine(*paths):
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(paths))
        clear()

    yield machine
    monkeypatch.undo()
    font_manager.fontManager.ttflist[:] = before
    clear()


def figure(title, note=""):
    return Figure(title, (Panel(np.full((4, 4, 3), 200, np.uint8)),), {}, note=note)


def ink(title, dpi=200):
    """How dark each column of the title's line in a PNG is (W,), without what is white beside it."""
    drawn = np.asarray(Image.open(io.BytesIO(figure(title).encode("png", dpi=dpi, width_mm=100))).convert("L"))
    line = (drawn[dpi // 20 : 56 * dpi // 200, : 5 * dpi // 2] < 100).sum(0)
    dark = np.flatnonzero(line)
    return line[dark[0] : dark[-1] + 1]


def test_a_character_is_drawn_by_a_font_that_has_it(machine, tmp_path):
    path = made(tmp_path / "mine.ttf", "Mine Sans", HANGUL + CHINESE)
    machine()
    boxes = ink(HANGUL * 3)
    machine(path)
    columns = ink(HANGUL * 3)
    size = 11 / 72 * 200  # pixels of the title
    squares = np.flatnonzero(columns > 0.8 * 0.9 * size)
    assert len(squares) == pytest.approx(3 * 0.9 * size, abs=6), "three squares, nine tenths of its size wide"
    assert not np.array_equal(columns, boxes)
    assert fonts.families("a" + HANGUL) == ("DejaVu Sans", "Mine Sans", "sans-serif")
    assert text.measure(HANGUL) == pytest.approx(1.02)
    for format in ("svg", "pdf"):
        content = figure(HANGUL).encode(format)
        assert (b"'Mine Sans'" if format == "svg" else b"MineSans") in content


def test_a_bold_face_may_have_fewer_characters(machine, tmp_path):
    """As FreeSerif's and DejaVu Sans Mono's have: the regular face's width is taken."""
    bold = made(tmp_path / "bold.ttf", "Mine Sans", CHINESE, "Bold")
    machine(made(tmp_path / "mine.ttf", "Mine Sans", CHINESE + HANGUL), bold)
    assert text.measure(HANGUL, "bold") == pytest.approx(1.02)
    assert text.measure(CHINESE, "bold") == pytest.approx(1.02)
    assert figure(HANGUL + CHINESE).encode("png", width_mm=80)


def test_what_no_font_has_is_said_where_it_is_a_box(machine, tmp_path):
    machine(made(tmp_path / "mine.ttf", "Mine Sans", CHINESE))
    told = fonts.unseen(["ab", f"{HANGUL}{CHINESE}", HINDI, "\u200d\ufe0f\n\u0301"])
    assert "2 characters" in told
    assert "Hangul" in told
    assert "Devanagari" in told
    assert fonts.unseen([CHINESE, "Ångström", "😀", "שלום"]) == "", "the figure's own has the rest"
    heights = {}
    for title in (CHINESE, HANGUL):
        for format in ("png", "svg", "pdf"):
            content = figure(title, "A note.").encode(format)
            if format == "png":
                heights[title] = Image.open(io.BytesIO(content)).height
            if format == "svg":
                assert "No font" not in content.decode(), "it has the reader's fonts"
                assert "sans-serif" in content.decode()
    assert heights[HANGUL] > heights[CHINESE], "for the sentence"


def test_the_choice_depends_on_the_machine_alone_and_plain_fonts_come_first(machine, tmp_path):
    odd = made(tmp_path / "a.ttf", "Aaa Mono Italic", HANGUL + CHINESE)
    plain = made(tmp_path / "z.ttf", "Zzz Sans", HANGUL)
    bold = made(tmp_path / "b.ttf", "Zzz Sans", HANGUL, "Bold")
    colour = made(tmp_path / "c.ttf", "Any Color Emoji", HANGUL)
    (tmp_path / "d.ttf").write_bytes(b"no font")
    for order in ((odd, plain, bold, colour), (colour, bold, str(tmp_path / "d.ttf"), plain, odd)):
        machine(*order)
        assert fonts.families(CHINESE)[1:-1] == ("Aaa Mono Italic",)
        assert fonts.families(HANGUL)[1:-1] == ("Zzz Sans",)
        assert fonts.families(CHINESE + HANGUL)[1:-1] == ("Zzz Sans", "Aaa Mono Italic")
        assert fonts.font(HANGUL, "bold").fname == bold
        assert fonts.font(HANGUL).fname == plain


def test_a_text_that_the_own_font_has_looks_for_no_other(machine, monkeypatch):
    machine()
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("the machine was searched"))
    figure("Plain – naïve Ω שלום").encode("png", dpi=60)


def test_words_are_shaped_and_run_from_right_to_left():
    """Of two letters the first stands on the right; a ligature is narrower than its letters apart."""
    bet, alef, both = (ink(word, 1000) for word in ("ב", "א", "אב"))  # so fine that where a pixel begins says nothing

    def alike(one, other):
        return np.corrcoef(one, other)[0, 1]

    assert alike(both[-len(alef) :], alef) > 0.8 > alike(both[-len(bet) :], bet)
    assert alike(both[: len(bet)], bet) > 0.8 > alike(both[: len(alef)], alef)
    ligature, apart = ink("لا"), ink("ل ا")
    assert len(ligature) < 0.8 * len(apart)

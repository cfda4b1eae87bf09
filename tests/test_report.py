"""report: pages that open offline, are rebuilt byte for byte, and mix with nobody's files."""

import io
import json
import re
import zipfile
from html.parser import HTMLParser

import pytest

import explain
from explain import store
from explain.errors import BadFile, BadValue, ExplainError
from explain.figure import read_facts
from explain.views import anatomy, filters, saliency
from explain.workspace.report import Entry, Report, rebuild, write_report

pytestmark = pytest.mark.usefixtures("quick_pdfs")
BAD = "<script>alert(1)</script> & \"q\" 'a' ]]> \x00 \n second line"


@pytest.fixture(scope="module")
def report(lenet):
    image = explain.open_picture("fashion-mnist/7")
    return Report(
        "Two & <three>",
        [
            Entry(filters.compute(lenet).figure(scale="layer"), "Filters", "filters"),
            Entry(saliency.compute(lenet, image, "grad_cam").figure(mode="signed"), BAD, "../../etc/Passwd .png"),
            Entry(anatomy.compute(lenet).figure(), "", "…"),
        ],
    )


@pytest.fixture(scope="module")
def files(report):
    return report.files()


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.alts, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.links += [value for name, value in given.items() if name in ("href", "src")]
        self.alts += [given["alt"]] if tag == "img" else []

    def handle_data(self, data):
        self.text += data


def test_the_page_opens_offline_and_links_to_all_files(files):
    page = Page(files["index.html"].decode())
    assert set(page.links) == set(files) - {"index.html"}
    assert page.tags.count("img") == page.tags.count("details") == 3
    assert all(page.alts)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "http" not in re.sub(r"<pre>.*?</pre>", "", files["index.html"].decode(), flags=re.S)
    assert "prefers-color-scheme: dark" in files["index.html"].decode()
    assert "@media print" in files["index.html"].decode()


def test_captions_are_text(files):
    page = Page(files["index.html"].decode())
    assert BAD.replace("\x00", "\ufffd") in page.text
    assert "Two & <three>" in page.text


def test_names_are_safe(files):
    assert sorted(path for path in files if "/" in path) == [
        "data/01-filters.csv",
        "data/01-filters.npz",
        "data/02-etc-passwd-png.csv",
        "data/02-etc-passwd-png.npz",
        "data/03-figure.csv",
        *(f"figures/{name}.{kind}" for name in ("01-filters", "02-etc-passwd-png", "03-figure")
          for kind in ("pdf", "png", "svg")),
    ]  # fmt: skip


def test_each_figure_carries_its_facts(report, files):
    for path, content in files.items():
        if "/" in path:
            assert read_facts(content)["view"] == report.entries[int(path.split("/")[1][:2]) - 1].figure.facts["view"]


def test_it_is_rebuilt_byte_for_byte(report, files, tmp_path):
    assert report.paths == list(files)
    folder = write_report(report, tmp_path / "new" / "report")
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")} == files
    again = rebuild(folder / "report.json")
    assert again.title == report.title
    assert again.files() == rebuild(files["report.json"]).files() == files


def test_a_zip_is_the_same_files(report, files, tmp_path):
    path = write_report(report, tmp_path / "Report.ZIP")
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    before = path.read_bytes()
    write_report(report, path)
    assert path.read_bytes() == before
    (tmp_path / "x.zip").mkdir()
    with pytest.raises(BadFile, match="folder"):
        write_report(report, tmp_path / "x.zip")


def test_only_a_report_is_replaced(report, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(BadFile, match="not empty and holds no report"):
        write_report(report, mine)
    (mine / "report.json").write_text("{}")
    with pytest.raises(BadFile, match="not empty and holds no report"):
        write_report(report, mine)
    with pytest.raises(BadFile, match="is a file"):
        write_report(report, mine / "thesis.txt")
    assert sorted(path.name for path in mine.iterdir()) == ["report.json", "thesis.txt"]

    write_report(report, tmp_path / "theirs")
    (tmp_path / "theirs" / "figures" / "note.txt").write_text("kept")
    smaller = Report(report.title, report.entries[:1])
    write_report(smaller, tmp_path / "theirs")
    found = {str(path.relative_to(tmp_path / "theirs")) for path in (tmp_path / "theirs").rglob("*.*")}
    assert found == {*smaller.paths, "figures/note.txt"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 9999, b"[" * 99999, b'{"report": 1}', b'{"report": 2}',
     b'{"report": 1, "title": 3, "entries": []}', b'{"report": 1, "title": "", "entries": [{}]}',
     b'{"report": 1, "title": "", "entries": [{"name": "", "caption": "", "facts": 3}]}',
     b'{"report": 1, "title": "", "entries": [{"name": [], "caption": "", "facts": {}}]}'],
    ids=lambda content: content[:30].decode("latin1"),
)  # fmt: skip
def test_what_is_no_report_is_refused(content, tmp_path):
    (tmp_path / "report.json").write_bytes(content)
    for source in (content, tmp_path / "report.json"):
        with pytest.raises(BadFile, match=r"report"):
            rebuild(source)


def test_which_figure_cannot_be_drawn_is_said(files):
    given = json.loads(files["report.json"])
    given["entries"][1]["facts"]["model_digest"] = "0"
    with pytest.raises(ExplainError, match=r"Figure 2 of the report: .*other weights"):
        rebuild(json.dumps(given).encode())


def test_a_report_has_an_end(report):
    with pytest.raises(BadValue, match="at most 500"):
        Report("", list(report.entries) * 200)


def test_the_command_line_makes_one_of_figures_and_reports(run, report, files, tmp_path):
    for name, kind in (("filters", "png"), ("saliency", "svg"), ("layers", "csv"), ("numbers", "npz")):
        figure = report.entries[{"filters": 0, "layers": 2}.get(name, 1)].figure
        figure.save(tmp_path / f"{name}.{kind}")
    given = [tmp_path / name for name in ("filters.png", "saliency.svg", "layers.csv", "numbers.npz")]
    more = ["--title", "T", "--caption", "one", "--caption", "two"]
    status, out, err = run("report", tmp_path / "made", *given, *more, "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    made = tmp_path / "made"
    assert {path for path in said["files"] if not path.startswith(".")} == {
        str(path.relative_to(made)) for path in made.rglob("*.*")
    }
    recorded = json.loads((made / "report.json").read_bytes())
    assert recorded["title"] == "T"
    assert [one["caption"] for one in recorded["entries"]][:2] == ["one", "two"]
    assert recorded["entries"][2]["caption"] == report.entries[2].figure.title
    assert (made / "figures" / "01-filters.svg").read_bytes() == files["figures/01-filters.svg"]

    status, out, _ = run("report", tmp_path / "both.zip", made / "report.json", given[0])
    assert (status, out) == (0, f"{tmp_path / 'both.zip'}: 5 figures\n")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "both.zip").read_bytes())) as archive:
        again = json.loads(archive.read("report.json"))
    assert again["title"] == "T"
    assert again["entries"][:4] == recorded["entries"]


@pytest.mark.parametrize(
    "line",
    [
        ["report"],
        ["report", "made"],
        ["report", "made", "bogus.png"],
        ["report", "made", "bogus.json"],
        ["report", "made", "/etc/passwd"],
        ["report", "/proc/none/made", "first.png"],
        ["report", "first.png", "first.png"],
        ["report", ".", "first.png"],
        ["report", "made", "first.png", "--caption", "one", "--caption", "two"],
        ["report", "made", "first.png", "--weights", "nonesuch.pth"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(run, report, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    report.entries[0].figure.save("first.png")
    status, out, err = run(*line)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["first.png"]


@pytest.mark.parametrize("room", [1, 2, 6])
def test_a_full_disk_leaves_what_was_there(report, tmp_path, monkeypatch, room):
    """Nothing where there was nothing, and the old report whole where there was one."""
    old = write_report(Report("Old", report.entries[:1]), tmp_path / "old")
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    written, write = [], store.write

    def full(path, content):
        written.append(path)
        if len(written) > room:
            raise BadFile("Cannot write: No space left on device.")
        return write(path, content)

    for out in (tmp_path / "new", old):
        written.clear()
        monkeypatch.setattr(store, "write", full)
        with pytest.raises(BadFile, match="No space"):
            write_report(report, out)
        monkeypatch.undo()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert write_report(report, old) == old
    assert {path.relative_to(old).as_posix() for path in old.rglob("*") if path.is_file()} == set(report.files())

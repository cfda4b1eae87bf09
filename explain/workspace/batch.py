"""One view of many pictures in one process: a figure of each and a table of all; goes on where it was interrupted."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..attribution.target import NowhereError
from ..columns import by_column
from ..data import ImageSet, load_images
from ..errors import BadFile, BadValue, ExplainError, NotSupported, shorten
from ..figure import FORMATS, Look, Shown, check_format, table_csv
from ..images import Picture, content, copied
from ..progress import Progress, heard
from ..store import lock, sha256, write, written
from ..version import __version__
from ..views import VIEWS, View
from .file_names import is_reserved, same_name

if TYPE_CHECKING:
    from ..names import PictureView

__all__ = ["TABLE", "Batch", "batch", "check_folder", "run_batch"]

TABLE = "results.csv"
JOURNAL = ".results.jsonl"
_SAID = 5  # reasons in an error, at most


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Shown):
    """Where the files are, one row a picture (or several, where the view gives a table of each), and what was left out,
    by its name, with the reason; `resumed` pictures were there before."""

    folder: Path
    view: str
    pictures: int
    rows: list[dict[str, Any]]
    skipped: dict[str, str]
    resumed: int = 0

    @property
    def table(self) -> dict[str, list[Any]]:
        """The rows by columns; None where a picture has no such number."""
        return by_column(self.rows)

    def _line(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"Batch of {self.view}: {self.pictures} pictures in {self.folder}{skipped}"

    def _look(self) -> Look:
        return Look(self._line(), table=self.table)


def batch(
    view: PictureView,
    model: Any,
    images: Any,
    out: str | Path,
    *,
    format: str | Sequence[str] = "png",
    style: Mapping[str, Any] | None = None,
    anew: bool = False,
    progress: Progress | None = None,
    **given: Any,
) -> Batch:
    """A view of one picture, such as "saliency", for many: a figure of each as OUT/NAME.png, and OUT/results.csv.

    model: the Model, or the Index, that the view asks. images: as load_images takes them. format: one or several of
    "png", "svg", "pdf", "csv", "npz", "html", "parquet". style: how figures are drawn. given: what else the view takes.
    What OUT has already of the same question is left as it is, unless `anew`; pictures that cannot be read are skipped
    and said. Raises Unknown, NotSupported for a view that is not of one picture, BadValue where OUT has answers to
    another question, BadFile where none can be read, and what the view raises for the first picture.
    """
    declared = _of_one_picture(view)
    bound = inspect.signature(declared.compute).bind_partial(model, **given).arguments
    values = declared.check(bound, but=declared.picture)
    return run_batch(declared, values, load_images(images), out, format, style, anew=anew, progress=progress)


def run_batch(
    view: View,
    values: Mapping[str, Any],
    images: ImageSet,
    out: str | Path,
    format: str | Sequence[str] = "png",
    style: Mapping[str, Any] | None = None,
    *,
    anew: bool = False,
    progress: Progress | None = None,
) -> Batch:
    """The same with a view, and its parameters but the picture as `View.check` returns them."""
    formats = [format] if isinstance(format, str) else list(dict.fromkeys(format))
    for one in formats:
        check_format(f"x.{one}")
    drawn = view.check_style(style or {})
    if not len(images):
        raise BadValue(f"{images.name!r} has no pictures.")
    out = check_folder(out)
    asked = _asked(view, values, formats, drawn)
    done: list[dict[str, Any]] = []
    with heard(progress, "batch", "pictures") as said, lock(out):
        journal = _Journal(out, asked, anew)
        try:
            for number, name in enumerate(_names(images)):
                file = images.called(number)
                said(number, len(images), file)
                entry: dict[str, Any] = {"name": name, "file": file, "number": number, "identity": ""}
                files: dict[str, bytes] = {}
                try:
                    opened = None if images.are_files else images[number]  # once: it may come from a pipe
                    entry["identity"] = _identity(images, number) if opened is None else sha256(content(opened))
                    if before := journal.find(entry):
                        done.append(before | {"number": number})  # there may be more pictures now
                        continue
                    picture = images[number] if opened is None else opened
                    called = images.files[number] if images.are_files else f"{images.name}/{number}"
                    files, entry["measures"] = _answer(view, values, picture, called, formats, drawn)
                except ExplainError as error:
                    if not done and not isinstance(error, BadFile | NowhereError):  # it is not of this picture alone
                        raise
                    entry["error"] = str(error)
                journal.add(entry, files)
                done.append(entry)
            said(len(images), len(images), "done")
        finally:
            rows = [row for one in done for row in _rows(one, images)]
            write(out / TABLE, table_csv(by_column(rows)))
    skipped = {entry["file"]: entry["error"] for entry in done if "error" in entry}
    if len(skipped) == len(done):
        some = "; ".join(f"{file}: {why}" for file, why in list(skipped.items())[:_SAID])
        raise BadFile(f"None of the pictures of {images.name!r} could be asked about: {some}")
    return Batch(out, view.name, len(done) - len(skipped), rows, skipped, journal.resumed)


def check_folder(out: str | Path) -> Path:
    """Raises BadValue for what is a file, or called as a figure."""
    out = Path(out)
    if (out.exists() and not out.is_dir()) or (out.suffix[1:].lower() in FORMATS and not out.is_dir()):
        raise BadValue(f"{shorten(str(out))} is not a folder; name one for what becomes of several pictures.")
    return out


def _of_one_picture(name: str) -> View:
    such = [one for one in VIEWS if VIEWS[one].picture]
    if name in VIEWS and name not in such:
        raise NotSupported(f"{name} is not a view of one picture; {', '.join(such)} are.")
    if name not in VIEWS:
        raise NotSupported(f"There is no view {shorten(name)}; of one picture are {', '.join(such)}.")
    return VIEWS[name]


def _asked(view: View, values: Mapping[str, Any], formats: Sequence[str], style: Mapping[str, Any]) -> dict[str, Any]:
    """What the answers in a folder are answers to, as JSON."""
    said: dict[str, Any] = {"view": view.name, "formats": list(formats), "style": dict(style), "version": __version__}
    for name, one in view.parameters.items():
        value = values.get(name)
        if name != view.picture and value is not None:
            by_facts = one.kind.opened or one.is_options
            said[name] = one.kind.facts(value, values) if by_facts else one.kind.text(value, values)
    plain: dict[str, Any] = json.loads(_as_json(said))
    return plain


def _identity(images: ImageSet, number: int) -> str:
    return sha256(images.identity(number).encode(errors="surrogateescape"))


def _answer(
    view: View,
    values: Mapping[str, Any],
    picture: Picture,
    called: str,
    formats: Sequence[str],
    style: Mapping[str, Any],
) -> tuple[dict[str, bytes], Any]:
    """The files of one picture by their endings, and its numbers."""
    picture = copied(picture)
    picture.info.setdefault("name", called)
    result = view(**view.flat({**values, view.picture: picture}))
    figure = result.figure(**style)
    return {format: figure.encode(format) for format in formats}, result.measures


class _Journal:
    """What is done, a line for each picture: nothing is lost when the work is interrupted.

    Raises BadValue where the folder has answers to something else, BadFile for a damaged journal.
    """

    def __init__(self, out: Path, asked: Mapping[str, Any], anew: bool) -> None:
        self.out, self.path, self.resumed = out, out / JOURNAL, 0
        lines = [] if anew or not self.path.is_file() else self.path.read_text(encoding="utf-8").split("\n")[:-1]
        try:
            before, *entries = map(json.loads, lines or ["{}"])  # without a line that was cut short
        except ValueError:
            raise BadFile(f"{shorten(str(self.path))} is damaged; begin this folder anew, or choose another.") from None
        if entries and before != asked:
            other = sorted(key for key in {*before, *asked} if before.get(key) != asked.get(key))
            what = "view" if "view" in other else ", ".join(other)
            raise BadValue(
                f"{shorten(str(out))} has results of another question (another {what}); choose another folder, or "
                "begin this one anew."
            )
        self._known = {one["name"]: one for one in entries}
        write(self.path, "".join(map(_as_json, (asked, *entries))))  # whole again

    def find(self, of: Mapping[str, Any]) -> dict[str, Any] | None:
        """What there is of this picture, if it is as it was."""
        entry: dict[str, Any] | None = self._known.get(of["name"])
        if entry is None or entry["identity"] != of["identity"]:
            return None
        if not all((self.out / one).is_file() for one in entry["figures"]):
            return None
        self.resumed += 1
        return entry

    def add(self, entry: dict[str, Any], files: Mapping[str, bytes]) -> None:
        entry["figures"] = [f"{entry['name']}.{format}" for format in files]
        for name, encoded in zip(entry["figures"], files.values(), strict=True):
            write(self.out / name, encoded)
        with written(self.path), self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_as_json(entry))


def _as_json(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """What numpy and dataclasses have, as JSON has it."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


# Names ---------------------------------------------------------------------------------------------------------------


def _names(images: ImageSet) -> Iterator[str]:
    """What becomes of each picture is called as its file, in folders as there; where two files differ in their ending
    alone, or in what some file system takes for the same, it stays, and where they lie in different folders of a list,
    they are numbered."""
    files = [_within(images, number) for number in range(len(images))]
    stems = [str(file.with_suffix("")) for file in files]
    several, taken = Counter(map(same_name, stems)), {same_name(Path(TABLE).stem)}
    for file, stem in zip(files, stems, strict=True):
        name = stem if several[same_name(stem)] == 1 else str(file)
        name = next(one for k in count(1) if same_name(one := name if k == 1 else f"{name}-{k}") not in taken)
        taken.add(same_name(name))
        yield name


def _within(images: ImageSet, number: int) -> PurePosixPath:
    """Where a picture lies in its set, in characters that every system allows."""
    parts = PurePosixPath(images.called(number)).parts
    clean = [cleaned for part in parts if (cleaned := re.sub(r"[^\w. -]+", "-", part).strip(".- "))]
    allowed = [f"_{one}" if is_reserved(one) else one for one in clean[-8:]]
    return PurePosixPath(*allowed or [f"{number:05}"])


# The table -----------------------------------------------------------------------------------------------------------


def _rows(entry: Mapping[str, Any], images: ImageSet) -> list[dict[str, Any]]:
    """One for the picture, with its label and what its table says of it; where a view gives a table of it, its rows."""
    number = entry["number"]
    of = {"number": number, "file": entry["file"], "figure": next(iter(entry["figures"]), "")}
    if images.labels is not None and images.labels[number] >= 0:
        of["label"] = images.classes[images.labels[number]]
    of |= {name if name not in of else f"{name} (table)": values[number] for name, values in images.columns.items()}
    if "error" in entry:
        return [of | {"error": entry["error"]}]
    measures = entry["measures"]
    columns = list(measures.values())
    if columns and all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns):
        return [of | dict(zip(measures, row, strict=True)) for row in zip(*columns, strict=True)]
    return [of | _flat(measures)]


def _flat(measures: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Numbers and words by dotted names; lists are for the figures' own files."""
    found: dict[str, Any] = {}
    for name, value in measures.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        elif value is None or isinstance(value, str | int | float | bool):
            found[f"{before}{name}"] = value
    return found

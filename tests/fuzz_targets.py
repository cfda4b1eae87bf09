"""What reads a stranger's bytes, with real files to begin with: our own figures, the shipped models, small pictures."""

import copy
import io
import json
import os
import re
import select
import signal
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from fuzzing import Target
from PIL import Image

MODELS = Path(__file__).parents[1] / "models"
TOML = b"""[models.mine]
factory = "models.py:build"
arguments = { depth = 3, wide = true }
classes = ["cat", "dog"]
size = 32
mean = [0.5, 0.5, 0.5]
[models.other]
architecture = "timm:resnet18"
weights = "other.pth"
[images.mine]
table = "table.csv"
label = "kind"
"""


@cache
def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def pictures() -> list[bytes]:
    import tifffile

    def saved(array: np.ndarray, kind: str, **how: object) -> bytes:
        file = io.BytesIO()
        Image.fromarray(array).save(file, kind, **how)
        return file.getvalue()

    rgb, grey = _pixels(24, 20, 3), _pixels(24, 20)
    found = [saved(rgb, kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")]
    found += [saved(grey, "PNG"), saved(grey.astype(np.uint16) * 257, "PNG"), saved(_pixels(24, 20, 4), "PNG")]
    found += [saved(rgb, "JPEG", progressive=True), saved(rgb, "WEBP", lossless=True)]
    found += [saved(rgb, "TIFF", compression=way) for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
    exif = Image.Exif()
    exif[0x0112] = 6
    found += [saved(rgb, "JPEG", exif=exif), saved(rgb, "PNG", exif=exif)]
    frames = [Image.fromarray(_pixels(8, 8)), Image.fromarray(_pixels(8, 8)[::-1].copy())]
    for kind in ("GIF", "PNG", "TIFF"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        found.append(file.getvalue())
    for array in (_pixels(5, 24, 20), _pixels(5, 24, 20).astype(np.uint16)):
        for how in ({}, {"compression": "zlib"}, {"tile": (16, 16)}):
            file = io.BytesIO()
            tifffile.imwrite(file, array, photometric="minisblack", planarconfig="separate", **how)
            found.append(file.getvalue())
    for array in (rgb, grey, _pixels(24, 20, 5), _pixels(24, 20, 5).astype(np.float32)):
        file = io.BytesIO()
        np.save(file, array)
        found.append(file.getvalue())
    return found


def figures() -> list[bytes]:
    from explain.figure import Figure, Panel

    facts = {"view": "saliency", "model": "lenet-fashion-mnist", "options": {"a": 1, "text": "(x) \\ y"}, "seed": 0}
    one = Figure(
        "Title", (Panel(_pixels(8, 8, 3), "left"),), facts,
        arrays={"heat": np.ones((4, 4))}, table={"x": [1, 2], "y": ["a", "b"]}, bundle={"a.txt": b"text"},
    )  # fmt: skip
    return [one.encode(kind, width_mm=40, dpi=50) for kind in one.formats]


def read_figure(content: bytes, _: Path) -> None:
    from explain.figure import read_facts
    from explain.views.facts import Facts
    from explain.workspace.redraw import view_of

    facts = Facts(read_facts(content))
    view_of(facts).read_style(facts)


def read_picture(content: bytes, _: Path) -> None:
    from explain.images import decode

    decode(content, "fuzzed").convert("RGB")


def checkpoints() -> list[bytes]:
    import torch
    from safetensors.torch import load_file, save

    tensors = load_file(MODELS / "lenet-fashion-mnist" / "weights.safetensors")
    found = [save(tensors)]
    nested = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in tensors.items()}}
    for content, new in ((tensors, True), (nested, True), (dict([*tensors.items()][:1]), False)):
        file = io.BytesIO()
        torch.save(content, file, _use_new_zipfile_serialization=new)
        # The old kind calls a storage after where it lay in memory.
        found.append(file.getvalue() if new else re.sub(rb"\d{13,}", lambda name: b"1" * len(name[0]), file.getvalue()))
    return found


@cache
def _lenet():
    from explain.nets import NETS

    return NETS["lenet"]()


def read_checkpoint(content: bytes, folder: Path) -> None:
    """As one that is handed in: unpickled in a process of its own, which may end or be ended."""
    from explain.network.checkpoint import read_weights
    from explain.network.fitting import fit

    file = folder / "weights.pth"
    file.write_bytes(content)
    if said := _forked(file):
        raise RuntimeError(said)
    fit(copy.deepcopy(_lenet()), read_weights(file), file.name)


def _forked(file: Path) -> str:
    """What went wrong, but for ExplainErrors, memory and time; these are raised as the error that the app shows."""
    from explain.errors import BadFile, ExplainError
    from explain.network.checkpoint import as_plain

    answer, tell = os.pipe()
    if not (child := os.fork()):
        said = b"refused"
        try:
            as_plain(str(file), f"{file}.plain")
            said = b"fine"
        except ExplainError:
            pass
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"[:500].encode()
        os.write(tell, said)
        os._exit(0)
    os.close(tell)
    ready, _, _ = select.select([answer], [], [], 10)
    said = os.read(answer, 1000).decode(errors="replace") if ready else ""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(answer)
    if said in ("", "refused"):
        raise BadFile("It is refused, or ended.")
    return said if said != "fine" else ""


def cards() -> list[bytes]:
    return [card.read_bytes() for card in sorted(MODELS.glob("*/model.json"))]


def read_card(content: bytes, folder: Path) -> None:
    from explain.network.checkpoint import read_json
    from explain.network.zoo import _card  # what is built of it is another matter

    (folder / "model.json").write_bytes(content)
    name = str(read_json(folder / "model.json").get("name"))[:100].replace("/", "").replace("\0", "")
    file = MODELS / name / "weights.safetensors"
    if file.is_file():
        (folder / "weights.safetensors").symlink_to(file)
    _card(folder)


def zips() -> list[bytes]:
    def zipped(members: dict[str, bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return file.getvalue()

    png, jpeg, *_ = pictures()
    classes = {"cat/1.png": png, "cat/2.jpg": jpeg, "dog/1.png": png, "dog/.hidden": b"", "read.me": b"x"}
    csv, *_, parquet = tables()
    with_tables = [
        zipped({"1.png": png, "2.jpg": jpeg, file: one}) for file, one in (("t.csv", csv), ("t.parquet", parquet))
    ]
    return [zipped(classes), zipped({f"around/{name}": one for name, one in classes.items()}), *with_tables]


def read_zip(content: bytes, folder: Path) -> None:
    from explain.workspace import picture_sets

    os.environ["EXPLAIN_WORKSPACE"] = str(folder)
    picture_sets.images_of(picture_sets.unpack(io.BytesIO(content), "fuzzed.zip").reference)


def tables() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    columns = {"path": ["1.png", "2.jpg"], "label": ["a", "-1"], "age": [3, 4]}
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    text = "\n".join(",".join(map(str, row)) for row in (columns, *zip(*columns.values(), strict=True)))
    return [text.encode(), text.replace(",", ";").encode(), file.getvalue()]


def read_table(content: bytes, folder: Path) -> None:
    from explain.data.tables import labels_of, path_column, read_columns

    table = folder / ("t.parquet" if content.startswith(b"PAR1") else "t.csv")
    table.write_bytes(content)
    columns = read_columns(table, 200_000, 20 << 20)
    path_column(columns, table)
    for values in columns.values():
        labels_of(values)


def containers() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    png, jpeg, *_ = pictures()
    found = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
            members = {
                "1.png": png,
                "1.cls": b"3",
                "2.jpg": jpeg,
                "2.json": b'{"label": 4, "x": [1]}',
                "é" * (20 if kind == tarfile.USTAR_FORMAT else 60): b"",
            }
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        found.append(file.getvalue())
    table = pyarrow.table({"image": [{"bytes": png, "path": "1.png"}, {"bytes": jpeg, "path": None}], "label": [0, 1]})
    names = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"]}}}})
    table = table.replace_schema_metadata({"huggingface": names})
    file = io.BytesIO()
    parquet.write_table(table, file)
    found.append(file.getvalue())
    for writer in (pyarrow.ipc.new_stream, pyarrow.ipc.new_file):
        file = io.BytesIO()
        with writer(file, table.schema) as opened:
            opened.write_table(table)
        found.append(file.getvalue())
    return found


def read_container(content: bytes, folder: Path) -> None:
    from explain.data import containers as module

    starts = {b"PAR1": "parquet", b"ARRO": "arrow", b"\xff" * 4: "arrow"}
    file = folder / f"shard.{starts.get(content[:4], 'tar')}"
    file.write_bytes(content)
    images = module.load(file)
    for one in [] if images is None else images.files[:5]:
        module.content(one)


def read_project(content: bytes, folder: Path) -> None:
    from explain.project import project

    (folder / "explain.toml").write_bytes(content)
    os.environ["EXPLAIN_PROJECT"] = str(folder)
    project()


def read_report(content: bytes, _: Path) -> None:
    from explain.workspace.report import read_json

    read_json(content)


def reports() -> list[bytes]:
    entry = {"name": "a", "caption": "b", "facts": {"view": "saliency"}}
    return [json.dumps({"explain": "0.1.0", "report": 1, "title": "t", "entries": [entry, entry]}).encode()]


_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".npy")
_FACTS = (b"<rdf:li>{", b"</rdf:li>", b"/Keywords ({", b"})", b"# explain: {", b"explain\0", b"zTXt", b"PAR1", b"\\")
TARGETS = {
    "pictures": Target(
        pictures, read_picture, (b"\xff\xda", b"\xff\xfe\0\2", b"!\xfe\1a\0", b"zTXt"), memory=1024, endings=_IMAGES
    ),
    "figures": Target(
        figures, read_figure, _FACTS, endings=(".png", ".svg", ".pdf", ".html", ".zip", ".npz", ".parquet")
    ),
    "checkpoints": Target(checkpoints, read_checkpoint, (b"(", b"\x86", b"q\1h\1", b"K\1"), endings=(".pth", ".pt")),
    "cards": Target(cards, read_card, (b"null", b"[[", b'{"a":'), endings=(".json",)),
    "zips": Target(zips, read_zip, (b"PK\1\2", b"PK\5\6", b"PK\6\6", b"../"), memory=512, endings=(".zip",)),
    "projects": Target(
        lambda: [TOML], read_project, (b"a.", b"[[", b'"""', b"[a]\n", b"{a=", b"='"), endings=(".toml",)
    ),
    "tables": Target(tables, read_table, (b"a,", b'"', b";"), endings=(".csv", ".tsv", ".parquet")),
    "containers": Target(
        containers, read_container, (b"PAR1", b"GNU.sparse.size=", b"\0" * 512), endings=(".tar", ".arrow")
    ),
    "reports": Target(reports, read_report, (b'{"report":1,', b"[["), endings=(".json",)),
}

"""What this installation has and can do: each part is tried on something tiny, and says in words what is wrong."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExplainError, reason_of
from ..extras import EXTRAS, MissingExtra, extra
from ..memory import free
from .command import Commands, say

if TYPE_CHECKING:
    from ..figure import Figure
    from ..index import Index
    from ..network.model import Model
    from ..workspace.budget import Usage

__all__ = ["add"]

SMALL = "lenet-fashion-mnist"
PICTURES = "fashion-mnist"
PATIENCE = 90.0  # seconds for the app's first page
LEAST_DISK, LEAST_MEMORY = 1 << 30, 1 << 30
PARTS: dict[str, Callable[[Patient], str]] = {}


@dataclass(frozen=True)
class Finding:
    """Whether a part works, and what there is to say of it, what to do included."""

    part: str
    ok: bool
    said: str
    seconds: float = 0.0
    absent: bool = False

    @property
    def word(self) -> str:
        return "absent" if self.absent else "ok" if self.ok else "WRONG"


def add(command: Commands) -> None:
    command("doctor", _doctor)


def _doctor(given: argparse.Namespace) -> int:
    """what this installation has, and whether each part of it works; exit status 1 where one does not"""
    import platform

    from ..figure import versions
    from ..workspace import budget, root

    found: list[Finding] = []
    judged = _tried("budget", lambda: str(budget.measure()))
    usage = budget.measure() if judged.ok else None
    if usage and usage.bytes > usage.limit:
        judged = Finding("budget", False, f"The workspace takes {usage}; remove some on the page Models and data.")
    known = {"python": platform.python_version(), **versions()}
    disk, memory = shutil.disk_usage(_there(root())).free, free()
    extras = {one.package: find_spec(module) is not None for module, one in EXTRAS.items()}
    if not given.json:
        print(", ".join(f"{name} {version}" for name, version in known.items()))
        print(f"workspace {root()}{f': {usage}' if usage else ''}")
        print(f"free: {budget.said(disk)} of disk, {budget.said(memory)} of memory")
        for one in EXTRAS.values():
            print(f"{'has ' if extras[one.package] else f'without {one.package}, which is for '}{one.gives}")
    for finding in chain([judged], _findings(disk, memory, usage)):
        found.append(finding)
        if not given.json:
            print(f"{finding.word:5} {finding.part}: {finding.said}", flush=True)
    wrong = [finding.part for finding in found if not finding.ok]
    if given.json:
        report = {
            "versions": known,
            "workspace": {"folder": str(root()), **_in_numbers(usage)},
            "disk": disk,
            "memory": memory,
            "extras": extras,
            "parts": {
                one.part: {"ok": one.ok, "absent": one.absent, "said": one.said, "seconds": round(one.seconds, 2)}
                for one in found
            },
            "wrong": wrong,
        }
        say(given, report, "")
    else:
        print(f"Wrong: {', '.join(wrong)}." if wrong else "All is well.")
    return 1 if wrong else 0


def _findings(disk: int, memory: int, usage: Usage | None) -> Iterator[Finding]:
    """One after the other, as they are found; the app starts meanwhile in a process of its own."""
    from ..data import is_here, list_images
    from ..workspace import list_models, root
    from ..workspace.budget import said
    from ..workspace.picture_sets import named

    def roomy(free: int, least: int, what: str) -> Callable[[], str]:
        def judged() -> str:
            if free < least:
                raise ExplainError(f"Only {said(free)} are left; {what}.")
            return f"{said(free)} are left"

        return judged

    yield _tried("disk", roomy(disk, LEAST_DISK, "remove something, or move the workspace by EXPLAIN_WORKSPACE"))
    yield _tried("memory", roomy(memory, LEAST_MEMORY, "close other programs before large networks are opened"))
    yield _tried("workspace", lambda: _written(root()))
    with ThreadPoolExecutor(1) as beside, tempfile.TemporaryDirectory(prefix="explain-doctor-") as folder:
        app = beside.submit(_tried, "app", _first_page)
        yield _tried("device", _device)
        try:
            models, sets = list_models(), [name for name in list_images() if is_here(name)]
        except ExplainError as error:
            yield Finding("explain.toml", False, str(error))
            models, sets = [], []
        for name in models:
            yield _tried(f"network {name}", lambda name=name: _network(name))  # type: ignore[misc]
        for name in [*sets, *named()]:
            yield _tried(f"pictures {name}", lambda name=name: _pictures(name))  # type: ignore[misc]
        patient = Patient(Path(folder))
        for part, check in PARTS.items():
            yield _tried(part, lambda check=check: check(patient))  # type: ignore[misc]
        yield app.result()


def _tried(part: str, check: Callable[[], str]) -> Finding:
    """What a check says, or what is wrong; nothing that it raises ends the others."""
    began, absent = time.perf_counter(), False
    try:
        said, ok = check(), True
    except MissingExtra as error:  # which nobody is obliged to install
        said, ok, absent = str(error), True, True
    except ExplainError as error:
        said, ok = str(error), False
    except MemoryError:
        said, ok = "There is not enough memory; close other programs.", False
    except Exception as error:
        said, ok = (
            f"{type(error).__name__}: {reason_of(error)}. Install it anew, or report it.",
            False,
        )
    return Finding(part, ok, said, time.perf_counter() - began, absent)


# What there is -------------------------------------------------------------------------------------------------------


def _in_numbers(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    kinds = {kind.folder: size for kind, size in usage.by_kind.items()}
    return {"bytes": usage.bytes, "limit": usage.limit, "kinds": kinds}


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())


def _written(folder: Path) -> str:
    from ..store import write

    path = write(folder / ".doctor", "x")
    path.unlink()
    return f"{folder} can be written to"


def _device() -> str:
    import torch

    from ..network.model import choose_device

    place = choose_device()
    total = float(torch.ones(8, 8, device=place).matmul(torch.ones(8, 8, device=place)).sum())
    if total != 512:
        raise ExplainError(f"Device {place} multiplies wrongly ({total}, not 512); use --device cpu.")
    return str(place)


def _network(name: str) -> str:
    from ..network.checkpoint import read_json
    from ..project import project
    from ..store import sha256
    from ..workspace import load_model, model_folder

    folder = model_folder(name)
    if folder is None or name in project().models:
        model = load_model(name)
        return f"{len(model.layers)} layers, weights {model.digest[:12]}"
    weights = read_json(folder / "model.json").get("weights") or {}  # of users' there may be many: not opened
    if sha256(folder / weights["file"]) != weights["sha256"]:
        raise ExplainError(f"Its weights are not those that were kept; remove {name!r}, and train or upload it again.")
    return f"weights {weights['sha256'][:12]}"


def _pictures(name: str) -> str:
    from ..data import list_images, named_images
    from ..workspace import picture_sets

    known = None if name in list_images() else picture_sets.named()[name].reference
    images = picture_sets.images_of(known) if known else named_images(name)
    _ = images[0]
    return f"{len(images):,} pictures"


# What it can do ------------------------------------------------------------------------------------------------------


class Patient:
    """The smallest of each thing, made when a part first asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def model(self) -> Model:
        from ..workspace import load_model

        return load_model(SMALL)

    @cached_property
    def index(self) -> Index:
        from ..workspace import build_index

        return build_index(self.model, PICTURES, limit=24, out=self.folder / "index")

    @cached_property
    def figures(self) -> list[Figure]:
        """Those that what is installed can make."""
        from ..views import VIEWS
        from ..workspace import open_picture

        picture = open_picture(f"{PICTURES}/0")
        made = [VIEWS["saliency"](model=self.model, image=picture, method="gradient").figure()]
        with suppress(MissingExtra):
            made.append(VIEWS["neighbours"](index=self.index, image=picture, k=3).figure())
            made.append(VIEWS["embedding"](index=self.index, method="pca").figure())
        return made


def _part(name: str) -> Callable[[Callable[[Patient], str]], Callable[[Patient], str]]:
    def noted(check: Callable[[Patient], str]) -> Callable[[Patient], str]:
        PARTS[name] = check
        return check

    return noted


@_part("saliency")
def _saliency(patient: Patient) -> str:
    from ..views import VIEWS
    from ..workspace import open_picture

    result = VIEWS["saliency"](model=patient.model, image=open_picture(f"{PICTURES}/0"), method="grad_cam")
    return f"a map of {PICTURES}/0: {len(result.measures)} measures"


@_part("index")
def _index(patient: Patient) -> str:
    return f"{len(patient.index)} pictures, {len(patient.index.layers)} layers"


@_part("neighbours")
def _neighbours(patient: Patient) -> str:
    from ..workspace import open_picture

    near = patient.index.neighbours(open_picture(f"{PICTURES}/0"), k=3)
    return f"{len(near)} found"


@_part("embedding")
def _embedding(patient: Patient) -> str:
    from ..views import VIEWS

    result = VIEWS["embedding"](index=patient.index, method="pca")
    return f"a map of {len(result.points)} pictures"


@_part("figures")
def _figures(patient: Patient) -> str:
    """Each format, from the first figure that has it, and its facts read back."""
    from ..figure import FORMATS, read_facts

    done = []
    for figure in patient.figures:
        for format in figure.formats:
            if format not in done:
                small = figure.on(width_mm=80, dpi=60)
                if read_facts(small.encode(format)) != dict(small.facts):
                    raise ExplainError(f"The facts in a {format} are not those that were written.")
                done.append(format)
    return f"{', '.join(one for one in FORMATS if one in done)}, each with its facts"


@_part("training")
def _training(patient: Patient) -> str:
    from ..data import load_images
    from ..training import recipe, train

    images = load_images(PICTURES, 128)
    model = train(recipe(SMALL), images, folder=patient.folder / "run", epochs=1, batch_size=64, device="cpu")
    return f"two steps, and {len(model.about['history'])} epoch written down"


def _first_page() -> str:
    from ..isolate import isolate

    extra("streamlit")
    began = time.monotonic()

    def heard(*_: Any) -> None:
        if time.monotonic() - began > PATIENCE:
            raise ExplainError(f"The first page is not there after {PATIENCE:.0f} s; is the machine busy?")

    title: str = isolate("explain.ui.first_page:opened", progress=heard)
    return f"its first page opens: {title}"

"""Trainings of the workspace: asked for, run in a process of their own, stopped and gone on with, removed.

folder = reserve(Asked("lenet-fashion-mnist", {"epochs": 3}, "fashion-mnist"))
go_on(folder, print)  # what it raises stops the training, which leaves a checkpoint
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import store
from ..data import ImageSet, load_images, named_images
from ..errors import BadFile, BadValue, ExplainError
from ..isolate import Crashed, isolate
from ..network.checkpoint import read_json
from ..training import RUN_FILE, Recipe, read_run, recipe, train
from ..training.pictures import Pictures, split
from . import picture_sets
from .folder import own, within
from .models import load_model, run_folder

__all__ = ["RunRequest", "go_on", "held_out", "images_of", "remove", "request_of", "reserve", "resumable", "state"]

REQUEST, STOP, CHECKPOINT = "asked.json", "stop", "checkpoint.pt"
SAYS = 0.5  # seconds between two words of what is prepared
PATIENCE = 20.0  # seconds that a training has to leave a checkpoint, before its process is killed
_reserving = threading.Lock()


@dataclass(frozen=True)
class RunRequest:
    """A recipe with changes, for pictures by name: a shipped set or an unpacked ZIP, the first `limit` or all (0).

    start: the trained model that gets a new last layer, where it is another than the recipe's.
    """

    recipe: str
    changes: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    limit: int = 0
    start: str = ""

    def plan(self) -> Recipe:
        """Raises ExplainError for settings that cannot be."""
        return recipe(self.recipe).changed(**self.changes)


def images_of(data: str, limit: int = 0) -> ImageSet:
    """The pictures of this name. Raises ExplainError where they are not there."""
    return load_images(picture_sets.images_of(data) if data.startswith("zip/") else named_images(data), limit or None)


def reserve(wanted: RunRequest) -> Path:
    """A new run's folder that says what is asked for, still waiting."""
    plan = wanted.plan()
    with _reserving:
        folder = run_folder(plan.name)
        store.write(folder / REQUEST, json.dumps(asdict(wanted)))
        card = {"format": 1, "recipe": plan.settings(), "data": {"name": wanted.data}, "start": None, "history": []}
        store.write(folder / RUN_FILE, json.dumps({**card, "state": "waiting", "message": "", "written": time.time()}))
    return folder


def request_of(folder: Path) -> RunRequest | None:
    """What a run was asked for; None for one that the command line made."""
    try:
        return RunRequest(**read_json(folder / REQUEST))
    except (ExplainError, TypeError):
        return None


def go_on(folder: Path, on_row: Callable[[dict[str, Any]], object]) -> None:
    """Train in a process of its own, from the beginning or from the checkpoint, until it is done.

    on_row hears rows of epochs, and what is new every second; what it raises stops the training and is raised here once
    that has left a checkpoint. Raises ExplainError where it fails.
    """
    (folder / STOP).unlink(missing_ok=True)
    reason: BaseException | None = None
    since = 0.0

    def heard(row: dict[str, Any]) -> None:
        nonlocal reason, since
        if reason is None:
            try:
                on_row(row)
            except BaseException as error:
                reason, since = error, time.monotonic()
                store.write(folder / STOP, "")
        elif time.monotonic() - since > PATIENCE:
            raise reason

    try:
        done = isolate("explain.workspace.runs:trained", str(folder), progress=heard)
    except ExplainError as error:
        _note(folder, error)
        raise
    finally:
        (folder / STOP).unlink(missing_ok=True)
    if reason is not None and not done:
        raise reason


class _Stopped(BaseException):
    """No Exception, so that nothing on its way takes it for a mistake."""


def trained(folder: str, progress: Callable[[dict[str, Any]], object]) -> bool:
    """The training that was asked for in a folder, in this process; False where it has been stopped."""
    place = Path(folder)
    learning = False
    said = 0.0

    def heard(row: dict[str, Any]) -> None:
        nonlocal learning
        learning = learning or "doing" not in row
        progress(row)
        if (place / STOP).exists():
            raise _Stopped

    def prepared(done: float, total: float, message: str = "") -> None:
        """Until the first steps: pictures are read, and what comes before a last layer that alone is trained."""
        nonlocal said
        if not learning and time.monotonic() - said > SAYS:
            said = time.monotonic()
            heard({"doing": f"{message}, {done:,.0f} of {total:,.0f} pictures"})

    wanted = RunRequest(**read_json(place / REQUEST))
    try:
        heard({"doing": "starting, and reading the pictures"})
        with within(place.parents[1]):  # whose run it is
            start = load_model(wanted.start, device="cpu", code=False) if wanted.start else None
            images = images_of(wanted.data, wanted.limit)
        train(
            recipe(wanted.recipe),
            images,
            start=start,
            folder=place,
            on_epoch=heard,
            on_step=heard,
            progress=prepared,
            **wanted.changes,
        )
    except _Stopped:
        return False
    return True


def _note(folder: Path, error: ExplainError) -> None:
    """What a training that could not say it itself has come to."""
    card = read_run(folder)
    if card["state"] != "failed":
        ended = "interrupted" if isinstance(error, Crashed) else "failed"
        store.write(folder / RUN_FILE, json.dumps({**card, "state": ended, "message": str(error)}, indent=1) + "\n")


def state(folder: Path) -> str:
    """waiting, running, done, failed or interrupted: also where a process ended without a word."""
    said = str(read_run(folder).get("state", ""))
    return "interrupted" if said in ("waiting", "running") and not store.locked(folder) else said


def resumable(folder: Path) -> bool:
    """Whether it can go on from here: its pictures are known."""
    return request_of(folder) is not None and state(folder) == "interrupted"


def remove(folder: Path) -> None:
    """Delete a run with its model and snapshots. Raises BadValue while it runs."""
    if folder.parent != own() / "runs":
        raise BadFile(f"{folder.name!r} is no run of the workspace.")
    if store.locked(folder):
        raise BadValue(f"{folder.name!r} is at work; cancel it first.")
    shutil.rmtree(folder, ignore_errors=True)


def held_out(images: ImageSet, plan: Recipe) -> NDArray[np.int64] | None:
    """Numbers of the pictures that were kept apart for validation; None where all were trained on."""
    if not plan.validation or images.labels is None:
        return None
    blank = torch.zeros(1)
    whole = Pictures(torch.arange(len(images)), torch.from_numpy(images.labels).long(), (0, 0), blank, blank)
    apart_from_it = split(whole, plan.validation, plan.seed)[1]
    return None if apart_from_it is None else np.asarray(apart_from_it.x.numpy())

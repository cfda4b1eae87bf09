"""A run's folder: what it is, how far it is, its history, its snapshots. Whoever watches reads it from there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from torch import nn

from .. import store
from ..data import ImageSet
from ..errors import BadValue, ExplainError
from ..network.checkpoint import read_json
from ..network.model import Model
from ..network.zoo import save_model
from . import RUN_FILE, checkpoint
from .network import Begun
from .recipes import SETTINGS, Recipe

__all__ = ["Record", "read_run"]

FORMAT = 1


class Record:
    """Writes a run's folder."""

    def __init__(self, folder: Path, plan: Recipe, images: ImageSet, begun: Begun) -> None:
        self.folder, self.plan, self.images, self.begun = folder, plan, images, begun
        self.identity = {
            "recipe": json.loads(json.dumps(plan.settings())),
            "data": {"name": images.name, "digest": images.digest},
            "start": begun.about.get("start"),
        }
        self.history: list[dict[str, Any]] = []

    def busy(self) -> None:
        raise BadValue(f"Another process trains in {str(self.folder)!r}; give another folder, or wait for it.")

    def begin(self) -> None:
        self._write("running")

    def checked(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state to go on from. Raises BadValue where it is that of another training."""
        known = state["identity"]
        # Settings that came after the checkpoint were at their defaults.
        known = {**known, "recipe": {name: one.default for name, one in SETTINGS.items()} | known["recipe"]}
        for part, wanted in self.identity.items():
            if known[part] != wanted:
                raise BadValue(
                    f"{str(self.folder)!r} holds another training: its {part} is not this one's. Give another folder, "
                    "or resume=False to begin anew."
                )
        self.history = state["history"]
        return state

    def keep(self, state: dict[str, Any]) -> None:
        checkpoint.save(self.folder, {**state, "identity": self.identity})
        self.history = state["history"]
        self._write("running")

    def snapshot(self, epoch: int, net: nn.Module) -> None:
        """The weights of an epoch, as a model's folder."""
        about = {**self.begun.about, "recipe": self.identity["recipe"], "data": self.identity["data"]}
        model = Model(f"{self.folder.name}@{epoch}", net, self.begun.preprocess, self.images.classes, about)
        training = net.training
        save_model(model, self.folder / "snapshots" / f"{epoch:04}")
        net.train(training)

    def ended(self, error: BaseException | None) -> None:
        state = "done" if error is None else "failed" if isinstance(error, ExplainError) else "interrupted"
        self._write(state, str(error) if isinstance(error, ExplainError) else "")

    def _write(self, state: str, message: str = "") -> None:
        card = {"format": FORMAT, **self.identity, "state": state, "message": message, "written": time.time()}
        store.write(self.folder / RUN_FILE, json.dumps({**card, "history": self.history}, indent=1) + "\n")


def read_run(folder: str | Path) -> dict[str, Any]:
    """What a run's folder says of it: recipe, data, state, message, history. Raises BadFile."""
    found: dict[str, Any] = read_json(Path(folder) / RUN_FILE)
    return found

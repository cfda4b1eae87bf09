"""Inputs about trainings: runs, and what is done to their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...errors import BadValue, Unknown, shorten
from ..facts import Facts
from .kind import Given, Input, Opener, literal


class RunInput(Input):
    metavar, help, positional = "RUN", "a training of the workspace, its folder, or a model with a history", True
    in_python = "from open_run, its folder, or a model with a history"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.run(text)

    def type_of(self, declared: Any) -> Any:
        from ...network.model import Model
        from ...training.history import Run

        return Run | Model | str | Path if declared is Run else declared

    def check(self, value: Any, given: Given) -> Any:
        from ...training.history import run_of

        return run_of(value)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"name": value.name, "digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises Unknown, or BadValue where it went on since."""
        facts = facts.part(name)
        if not open.knows_run(facts.text("name")):
            raise Unknown("training in the facts:", facts.text("name"))
        found = open.run(facts.text("name"))
        if found.digest != facts.text("digest"):
            said = shorten(found.name)
            raise BadValue(f"The training {said} is another now, or has gone on since the figure was made.")
        return found

    def text(self, value: Any, given: Given) -> str:
        folder = getattr(value, "folder", None)
        return str(folder if folder and folder.parent.name != "runs" else getattr(value, "name", value))

    def python(self, value: Any, given: Given) -> str:
        return f"explain.open_run({literal(self.text(value, given))})"


class PlanInput(Input):
    """Augmentations in their order, each with its options: "crop:padding=8,fill=reflect,flip", or "none"."""

    metavar, positional, words = "HOW", True, "+"
    help = "augmentations in their order, each NAME or NAME:OPTION=VALUE,...; none for nothing"
    in_python = "augmentations in their order, each NAME or (NAME, {OPTION: VALUE})"

    def parse(self, text: str, given: Given, open: Opener | None = None) -> Any:
        steps: list[tuple[str, dict[str, str]]] = []
        for part in map(str.strip, text.split(",")):
            name, _, option = part.partition(":")
            if steps and "=" in name:  # another option of the one before
                name, option = "", part
            if name and name != "none":
                steps.append((name, {}))
            if option and steps:
                key, _, value = option.partition("=")
                steps[-1][1][key.strip()] = value.strip()
        return self.check(steps, given)

    def type_of(self, declared: Any) -> Any:
        names = Literal[tuple(self.registry)]  # type: ignore[valid-type]
        return Sequence[names | tuple[names, Mapping[str, Any]]]  # type: ignore[valid-type]

    @property
    def registry(self) -> Any:
        from ...training.augment import AUGMENTATIONS

        return AUGMENTATIONS

    def check(self, value: Any, given: Given) -> Any:
        from ...training.augment import check_plan

        return check_plan(value)

    def facts(self, value: Any, given: Given) -> list[Any]:
        return [[name, dict(options)] for name, options in value]

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        pairs = facts.lists(name)
        steps = [Facts({"name": one[0], "options": one[1]} if len(one) == 2 else {}) for one in pairs]
        return self.check([(step.text("name"), step.options("options")) for step in steps], given)

    def text(self, value: Any, given: Given | None = None) -> str:
        steps = []
        for name, options in self._changed(value):
            said = ",".join(f"{key}={one:.12g}" if isinstance(one, float) else f"{key}={one}" for key, one in options)
            steps.append(f"{name}:{said}" if said else name)
        return ",".join(steps) or "none"

    def python(self, value: Any, given: Given | None = None) -> str:
        steps = [
            f"({literal(name)}, {dict(options)!r})" if options else literal(name)
            for name, options in self._changed(value)
        ]
        return f"[{', '.join(steps)}]"

    def _changed(self, plan: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
        """Each step with those options that are not their defaults."""
        from ...training.augment import AUGMENTATIONS

        return [
            (name, [(key, one) for key, one in options.items() if one != AUGMENTATIONS[name].options[key].default])
            for name, options in self.check(plan, {})
        ]

"""Every method's map of every picture, the controls and the truth: where it lies, and what is said of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from explain.attribution import METHODS
from explain.attribution.target import layer_for
from explain.errors import ExplainError
from explain.trust import Question, Trust, check, private

from .controls import CONTROLS, truth
from .located import located
from .networks import Planted
from .peers import peers

__all__ = ["FEW", "Row", "measured", "rows_of"]

FEW = ("gradient", "input_x_gradient", "smooth_grad", "integrated_gradients", "guided_backprop", "lrp", "grad_cam",
       "grad_cam_plus_plus", "layer_cam", "occlusion", "lime", "feature_ablation")  # fmt: skip
"""The methods that are asked of a network of ordinary size."""

Row = dict[str, Any]


def rows_of(name: str, planted: Planted, folder: Path, with_peers: bool) -> list[Row]:
    """Those of one suite, from the folder if they were measured before."""
    file = folder / f"{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["case"], row["entry"]) for row in rows}
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        for row in measured(planted, done, with_peers):
            rows.append(row)
            print(json.dumps(row), file=out, flush=True)
    return rows


def measured(planted: Planted, done: set[tuple[int, str]], with_peers: bool) -> Iterator[Row]:
    model: Any = planted.model
    for number, case in enumerate(planted.cases):
        batch, net = model.batch(case.image), private(model)
        methods = [entry for name, entry in METHODS.items() if case.image.shape[0] < 100 or name in FEW]
        for entry in (*methods, *CONTROLS.values(), truth(case.mask, case.sign, net)):
            if (number, entry.name) in done:
                continue
            question = Question(model, entry, entry.check({}), batch, case.target, layer_for(model, None, None))
            start = time.monotonic()
            try:
                found = check(question, most=0)
            except ExplainError:  # a method that does not apply to this network
                continue
            row = {"suite": planted.suite.name, "case": number, "entry": entry.name, **_kind(entry.name)}
            row |= {"seconds": time.monotonic() - start, **located(found.heat, case.mask, case.sign)}
            row |= {"verdict": found.verdict.level, "words": found.verdict.words, "ours": _measures(found)}
            if with_peers:
                row["peers"] = peers(question, private(model), found.heat)
            yield row


def _kind(name: str) -> Row:
    return {"kind": "truth" if name == "truth" else "control" if name in CONTROLS else "map"}


def _measures(trust: Trust) -> dict[str, float]:
    """What the verdict is made of, and what it was made of before."""
    absolute, signed = trust.left
    found = {
        "score": trust.score,
        "share found": trust.found,
        "faithfulness estimate": trust.estimate,
        "room": trust.room,
        "insertion less deletion": trust.gain("map"),
        "insertion less deletion, above chance": trust.gain("map") - trust.gain("moved"),
        "insertion less deletion, above edges": trust.gain("map") - trust.gain("edges"),
        "unlike untrained": -signed,
        "unlike untrained, without signs": -absolute,
    }
    if trust.spread and trust.spread.over == "seed":
        found["steady over seeds"] = trust.spread.in_common
    if trust.completeness:
        found["completeness"] = -trust.completeness.gap
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}

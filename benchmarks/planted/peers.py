"""The measures of Quantus (Hedstroem et al. 2023), asked of one map at a time.

It is not among our requirements: `pip install quantus` where this is to run. Measures of localisation are left out, as
they need the mask that is to be found out; of the others those are left out that give no number for one map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from explain.trust.question import Question

__all__ = ["peers"]


def peers(question: Question, net: nn.Module, heat: np.ndarray) -> dict[str, float]:
    """Each measure of a map (H, W) by its name; without those that raise. Steps are such that each takes about as many
    passes as ours."""
    import quantus

    if not hasattr(np, "trapz"):  # which Quantus 0.6 asks for by the name that NumPy 2.4 no longer has
        np.trapz = np.trapezoid

    height, width = question.batch.shape[-2:]
    row, patch = height * width // 28, max(1, width // 7)
    plain = {"disable_warnings": True, "display_progressbar": False}
    known: dict[str, Callable[[], object]] = {
        "Faithfulness Correlation": lambda: quantus.FaithfulnessCorrelation(
            nr_runs=50, subset_size=row, perturb_baseline="mean", return_aggregate=False, **plain
        ),
        "Faithfulness Estimate": lambda: quantus.FaithfulnessEstimate(
            features_in_step=row, perturb_baseline="mean", **plain
        ),
        "Pixel-Flipping": lambda: quantus.PixelFlipping(
            features_in_step=row, perturb_baseline="mean", return_auc_per_sample=True, **plain
        ),
        "Region Perturbation": lambda: quantus.RegionPerturbation(
            patch_size=patch, regions_evaluation=25, perturb_baseline="mean", **plain
        ),
        "Monotonicity-Arya": lambda: quantus.Monotonicity(features_in_step=row, perturb_baseline="mean", **plain),
        "Monotonicity-Nguyen": lambda: quantus.MonotonicityCorrelation(
            nr_samples=5, features_in_step=row, perturb_baseline="mean", **plain
        ),
        "Selectivity": lambda: quantus.Selectivity(patch_size=patch, perturb_baseline="mean", **plain),
        "IROF": lambda: quantus.IROF(perturb_baseline="mean", return_aggregate=False, **plain),
        "ROAD": lambda: quantus.ROAD(percentages=[1, 5, 10, 20, 30, 50, 70, 90], **plain),
        "Infidelity": lambda: quantus.Infidelity(perturb_baseline="mean", n_perturb_samples=20, **plain),
        "Max-Sensitivity": lambda: quantus.MaxSensitivity(nr_samples=3, **plain),
        "Local Lipschitz": lambda: quantus.LocalLipschitzEstimate(nr_samples=3, **plain),
        "Sparseness": lambda: quantus.Sparseness(**plain),
        "Complexity": lambda: quantus.Complexity(**plain),
        "Effective Complexity": lambda: quantus.EffectiveComplexity(**plain),
        "MPRT": lambda: quantus.MPRT(return_average_correlation=True, **plain),
        "Random Logit": lambda: quantus.RandomLogit(num_classes=len(question.model.classes), **plain),
        "Completeness": lambda: quantus.Completeness(**plain),
        "NonSensitivity": lambda: quantus.NonSensitivity(features_in_step=row),
    }
    found = {}
    for name, build in known.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found[name] = _one(build()(**_asked(question, net, heat)))
            except Exception as error:  # of any kind; the table says of how many maps a measure has a number
                print(name, repr(error)[:150])
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _asked(question: Question, net: nn.Module, heat: np.ndarray) -> dict[str, object]:
    def explain(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: object) -> np.ndarray:
        found = []
        for one, target in zip(np.asarray(inputs), np.asarray(targets), strict=True):
            batch = torch.as_tensor(np.array(one), dtype=torch.float32)[None]
            asked = Question(question.model, question.entry, question.options, batch, int(target), question.layer)
            found.append(asked.large(np.nan_to_num(asked.answer(model)))[None])
        return np.stack(found)

    return {
        "model": net,
        "x_batch": question.batch.cpu().numpy(),
        "y_batch": np.array([question.target]),
        "a_batch": np.asarray(heat, np.float32)[None, None],
        "explain_func": explain,
        "device": "cpu",
        "softmax": True,
        "channel_first": True,
    }


def _one(said: object) -> float:
    """A measure's answer as a number: curves by their mean."""
    if isinstance(said, dict):
        return float(np.mean([_one(value) for value in said.values()]))
    return float(np.mean(np.asarray(said, float)))

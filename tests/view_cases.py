"""A case of every view, with nothing at its default; what it gives is made once for all tests that ask."""

import json
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import explain
from explain import store
from explain.network.region import Region
from explain.options import Choices
from explain.views import VIEWS
from explain.workspace import list_indexes, root

PICTURE, OTHER = "fashion-mnist/7", "fashion-mnist/8"


def picture(reference=PICTURE):
    return explain.open_picture(reference)


def edges():
    return explain.load_model("edges-fashion-mnist")


def index_of_edges():
    """Of another network over the same pictures."""
    (folder,) = list_indexes(edges()).values()
    return explain.open_index(folder, edges())


def maps():
    """A network that segments: four classes, at half the resolution of its input."""
    return explain.load_model("maps")


def other_index():
    """Of the same model over other pictures, some of which are the first's."""
    return explain.open_index(root() / "indexes" / "others")


PROJECT = """
[models.maps]
factory = "nets.py:build"
classes = ["ground", "cloth", "edge", "shade"]
size = 28
"""
NETS = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 4, 3, 1, 1))
"""
DISC = (np.arange(28)[:, None] - 13) ** 2 + (np.arange(28) - 11) ** 2 < 40


# name -> what is given, of (model, index): every parameter off its default. Options of entries stand in "options".
# Parameters that exclude each other get a case more, "name: which".
CASES = {
    "filters": lambda model, index: {
        "model": model,
        "layer": "conv2",
        "second": edges(),
        "second_layer": "conv2_1",
    },
    "filters: one": lambda model, index: {"model": model, "layer": "conv2"},
    "activations": lambda model, index: {
        "model": model,
        "image": picture(),
        "layer": "conv2",
        "second": picture(OTHER),
    },
    "activations: one": lambda model, index: {"model": model, "image": picture(), "layer": "conv2"},
    "convolution": lambda model, index: {
        "model": model,
        "image": picture(),
        "layer": "conv2",
        "channel": 5,
        "position": (3, 4),
    },
    "unit": lambda model, index: {
        "model": model,
        "image": picture(),
        "layer": "conv2",
        "channel": 5,
        "position": (3, 4),
        "method": "gradient",
        "options": {},
    },
    "saliency": lambda model, index: {
        "model": model,
        "image": picture(),
        "method": "grad_cam",
        "target": 3,
        "layer": "conv1",
        "unit": "conv2",
        "checked": True,
        "options": {"positive": False},
    },
    "saliency: box": lambda model, index: {
        "model": maps(),
        "image": picture(),
        "method": "grad_cam",
        "target": 2,
        "region": (4, 5, 21, 18),
        "options": {"positive": False},
    },
    "saliency: mask": lambda model, index: {
        "model": maps(),
        "image": picture(),
        "method": "grad_cam",
        "region": Region.of_mask(DISC),
        "options": {"positive": False},
    },
    "saliency_grid": lambda model, index: {
        "model": model,
        "image": picture(),
        "methods": ["grad_cam", "integrated_gradients"],
        "targets": [3, 5],
        "layer": "conv1",
        "unit": "conv2",
        "second": picture(OTHER),
        "options": {
            "grad_cam.positive": False,
            "integrated_gradients.steps": 9,
            "integrated_gradients.baseline": "mean",
        },
    },
    "saliency_grid: models": lambda model, index: {
        "model": model,
        "image": picture(),
        "methods": ["edges"],
        "second_model": edges(),
        "options": {},
    },
    "saliency_grid: region": lambda model, index: {
        "model": maps(),
        "image": picture(),
        "methods": ["grad_cam"],
        "region": "predicted",
        "second": picture(OTHER),
        "options": {"grad_cam.positive": False},
    },
    "segmentation": lambda model, index: {"model": maps(), "image": picture()},
    "faithfulness": lambda model, index: {
        "model": model,
        "image": picture(),
        "method": "layer_cam",
        "target": 3,
        "layer": "conv1",
        "unit": "conv2",
        "portions": 3,
        "check_seed": 2,
        "stages": "independent",
        "control": model,
        "options": {"positive": False},
    },
    "faithfulness: control": lambda model, index: {
        "model": model,
        "image": picture(),
        "method": "edges",
        "portions": 3,
        "options": {},
    },
    "faithfulness: region": lambda model, index: {
        "model": maps(),
        "image": picture(),
        "method": "layer_cam",
        "region": "predicted",
        "portions": 3,
        "options": {"positive": False},
    },
    "gallery": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "method": "hires_cam",
        "which": "mistakes",
        "count": 5,
        "target": 4,
        "layer": "conv1",
        "where": "label=Dress",
        "options": {"positive": False},
    },
    "gallery: region": lambda model, index: {
        "model": maps(),
        "images": explain.load_images("fashion-mnist"),
        "method": "hires_cam",
        "count": 3,
        "region": (4, 5, 21, 18),
        "options": {"positive": False},
    },
    "corruptions": lambda model, index: {
        "model": model,
        "image": picture(),
        "corruptions": ["frost", "contrast"],
        "severity": 5,
        "method": "grad_cam",
        "layer": "conv1",
        "seed": 4,
    },
    "robustness": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "baseline": edges(),
        "corruptions": ["fog", "pixelate"],
        "severities": [2, 4],
        "shifts": False,
        "count": 6,
        "drifting": 4,
        "layer": "conv2",
        "seed": 3,
    },
    "leaderboard": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "methods": ["grad_cam", "edges"],
        "count": 3,
        "portions": 3,
        "seed": 4,
        "layer": "conv1",
    },
    "anatomy": lambda model, index: {"model": model},
    "compare": lambda model, index: {"model": model, "second": edges()},
    "flips": lambda model, index: {"index": index, "second": index_of_edges(), "count": 4},
    "cka": lambda model, index: {
        "model": model,
        "second": edges(),
        "images": explain.load_images("fashion-mnist"),
        "layer": "conv2",
        "second_layer": "conv2_1",
        "count": 20,
        "batch": 9,
        "seed": 3,
    },
    "batch_costs": lambda model, index: {"model": model, "sizes": [1, 3], "training": True},
    "output_size": lambda model, index: {
        "size": 11,
        "window": 5,
        "stride": 2,
        "padding": 1,
        "dilation": 2,
        "in_channels": 4,
        "out_channels": 8,
        "groups": 2,
        "bias": False,
    },
    "lecture_tables": lambda model, index: {"table": "summary"},
    "optimiser_paths": lambda model, index: {
        "surface": "saddle",
        "optimisers": ["gd", "sgd"],
        "rates": [0.02, 0.03],
        "steps": 30,
        "x": 0.5,
        "y": 0.25,
        "condition": 10.0,
        "momentum": 0.5,
        "noise": 0.5,
        "seed": 3,
    },
    "loss_surface": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "second": edges(),
        "steps": 2,
        "reach": 0.5,
        "count": 6,
        "seed": 3,
    },
    "loss_surface: path": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "snapshots": [explain.load_model("lenet"), model],
        "steps": 1,
        "reach": 0.5,
        "count": 3,
        "seed": 3,
    },
    "loss_surface: one": lambda model, index: {
        "model": model,
        "images": explain.load_images("fashion-mnist"),
        "steps": 1,
        "reach": 0.5,
        "count": 3,
        "seed": 3,
    },
    "ensemble": lambda model, index: {
        "models": [model, edges()],
        "images": explain.load_images("fashion-mnist"),
        "margin": 2,
        "count": 4,
        "seed": 3,
    },
    "response_normalisation": lambda model, index: {
        "size": 3,
        "way": "within",
        "alpha": 0.01,
        "beta": 0.5,
        "k": 1.0,
        "seed": 4,
    },
    "hand_set_filter": lambda model, index: {"line": "rising", "filter": "upright", "side": 7},
    "patches": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channels": [13, 2],
        "ranking": "random",
        "count": 3,
        "where": "label=Dress",
    },
    "patches: several of a picture": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channels": [13, 2],
        "per_picture": 3,
    },
    "channel": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channel": 5,
        "image": picture(),
        "replace": "zero",
        "where": "prediction=Bag",
    },
    "channel_names": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "column": "prediction",
        "rate": 0.2,
        "pictures": 50,
        "permutations": 200,
        "count": 3,
        "seed": 2,
    },
    "paths": lambda model, index: {"index": index, "image": 7, "target": 3, "levels": 2, "width": 3},
    "paths: unit": lambda model, index: {
        "index": index,
        "image": picture(),
        "target": 5,
        "unit": "conv2",
        "levels": 2,
        "width": 2,
    },
    "relevant_patches": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "image": 7,
        "target": 8,
        "count": 2,
        "patches": 3,
        "pictures": 5,
        "composite": "epsilon",
    },
    "relevant_patches: on a picture": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "image": picture(),
        "target": 8,
        "count": 3,
        "pictures": 4,
    },
    "wiring": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channel": 5,
        "image": 7,
        "direction": "in",
        "count": 2,
        "pictures": 5,
        "seed": 3,
    },
    "wiring: out": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channel": 5,
        "image": picture(),
        "direction": "out",
        "count": 3,
    },
    "feature_visualization": lambda model, index: {
        "index": index,
        "layer": "conv2",
        "channels": [3, 1],
        "method": "maco",
        "objective": "unit",
        "negative": True,
        "facets": 2,
        "side": 28,
        "steps": 12,
        "seed": 4,
        "options": {"rate": 0.3},
    },
    "channel_health": lambda model, index: {"index": index, "layer": "conv2"},
    "hierarchy": lambda model, index: {"index": index, "image": 7, "channels": 2},
    "neighbours": lambda model, index: {
        "index": index,
        "image": picture(OTHER),
        "k": 3,
        "metric": "cosine",
        "where": "prediction=Bag",
    },
    "agreement": lambda model, index: {
        "index": index,
        "k": 3,
        "metric": "cosine",
        "count": 40,
        "mirrored": 12,
        "seed": 5,
    },
    "embedding": lambda model, index: {
        "index": index,
        "method": "tsne",
        "count": 40,
        "measure": False,
        "place": [picture("fashion-mnist/777"), picture()],
        "options": {"perplexity": 7, "iterations": 60, "metric": "cosine", "pca_first": False, "seed": 4},
    },
    "embedding: layer": lambda model, index: {
        "index": index,
        "method": "pca",
        "layer": "conv2",
        "pooling": "flat",
        "where": "right=True",
        "options": {"dimensions": 3},
    },
    "training_curves": lambda model, index: {"runs": [explain.open_run("small-1"), model]},
    "augmentations": lambda model, index: {
        "images": explain.load_images("fashion-mnist"),
        "labels": ["boot", "top, knitted", "trousers"],
        "count": 3,
        "plan": [("crop", {"padding": 2, "fill": "reflect"}), "cutmix"],
        "draws": 2,
        "seed": 5,
        "size": 40,
    },
    "augmentations: pictures": lambda model, index: {
        "images": [picture("photos/chelsea.png"), picture("photos/0")],
        "plan": ["jitter", "flip", "flip"],
        "draws": 2,
    },
    "confusion": lambda model, index: {
        "index": index,
        "pictures": range(10, 58),
        "count": 3,
        "where": "label=Shirt",
    },
    "calibration": lambda model, index: {"index": index, "where": "label=Shirt", "bins": 7, "seed": 3},
    "label_errors": lambda model, index: {"index": index, "count": 5, "where": "prediction=Shirt"},
    "duplicates": lambda model, index: {
        "index": index,
        "train": other_index(),
        "near": 3.5,
        "correlation": 0.6,
        "k": 4,
        "space": "both",
        "count": 3,
    },
    "outliers": lambda model, index: {
        "index": index,
        "train": other_index(),
        "k": 3,
        "usual": 0.8,
        "count": 5,
    },
    "slices": lambda model, index: {"index": index, "count": 2, "seed": 5, "where": "prediction=Shirt"},
    "concepts": lambda model, index: {
        "index": index,
        "layer": "act2",
        "target": "Shirt",
        "image": picture(OTHER),
        "where": "right=False",
        "count": 3,
        "pictures": 6,
        "window": 0.7,
        "masks": 16,
        "seed": 4,
    },
    "influence": lambda model, index: {
        "index": index,
        "image": picture(OTHER),
        "target": 3,
        "method": "influence_function",
        "damping": 0.02,
        "count": 3,
    },
    "influence: snapshots": lambda model, index: {
        "index": index,
        "image": 7,
        "snapshots": [explain.open_index(root() / "indexes" / "edges")],
    },
    "fixes": lambda model, index: {"index": index, "train": other_index(), "seed": 4},
    "study": lambda model, index: {"index": index, "method": "occlusion", "count": 6, "seed": 2, "even": False},
}


def asked(name, known):
    return VIEWS[name.partition(":")[0]], CASES[name](known["model"], known["index"])


def off(option):
    """A value other than the default."""
    if option.type is bool:
        return not option.default
    if isinstance(option.bounds, Choices):
        return next(value for value in option.bounds.values if value != option.default)
    low, high = option.bounds.low, option.bounds.high
    near = [option.type(value) for value in (low + (high - low) / 4, low, high)]
    if option.type is int:
        near = [min(max(int(option.default or 0) + 1, low), high), *near]
    return next(value for value in near if value != option.default)


# Of the options of the paper, which are the same for all views: test_paper.py has each of them.
ON_PAPER = {"width_mm": 120.0, "footer": False}


def style_of(view):
    return {name: off(option) for name, option in view.style.items()} | ON_PAPER


@pytest.fixture(scope="session")
def folder_of_views(tmp_path_factory, lenet):
    """A workspace with an index of 60 pictures and a training of two epochs, beside it a network of one's own."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "explain.toml").write_text(PROJECT)
    (folder / "nets.py").write_text(NETS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(folder))
        explain.build_index(lenet, "fashion-mnist", limit=60, k=12, seed=3)
        others = replace(explain.load_images("fashion-mnist")[30:75], name="others")
        explain.build_index(lenet, others, k=12, out=root() / "indexes" / "others")
        same = explain.load_images("fashion-mnist", 60)
        explain.build_index(edges(), same, k=12, out=root() / "indexes" / "edges")
        card = {"state": "done", "recipe": {"name": "small", "epochs": 2}, "data": {"name": "fashion-mnist"}}
        rows = [{"epoch": k, "loss": 1 / k, "train_accuracy": 0.5, "seconds": 1.5} for k in (1, 2)]
        store.write(root() / "runs/small-1/run.json", json.dumps({**card, "history": rows}))
    return folder


def here(function, *args, **options):
    """isolate, in this process: another one takes seconds to begin."""
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)(*args, **options)


@pytest.fixture(scope="module")
def workspace(folder_of_views, quick_pdfs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(folder_of_views))
        patch.setenv("EXPLAIN_PROJECT", str(folder_of_views))
        patch.setattr("explain.views.filters.MAX_SLICES", 6)  # so that there are pages
        patch.setattr("explain.views.embedding.isolate", here)
        patch.setattr("explain.trust.measurement.time", SimpleNamespace(perf_counter=lambda: 0.0))  # a row's seconds
        yield


@pytest.fixture(scope="module")
def known(workspace, lenet):
    """What cases are about."""
    folder = next(folder for name, folder in list_indexes(lenet).items() if name != "others")
    return {"model": lenet, "index": explain.open_index(folder, lenet)}


@pytest.fixture(scope="session")
def results():
    return {}


@pytest.fixture(scope="module")
def made(known, results):
    """Each case's result, made once."""

    def make(name):
        if name not in results:
            view, values = asked(name, known)
            results[name] = view(**view.flat(values))
        return results[name]

    return make

"""A user's script with every function of the library, as `mypy --strict` reads it; it is not run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

import explain
from explain.attribution import METHODS
from explain.names import Augmentation, SaliencyMethod
from explain.options import Range
from explain.views.saliency import Saliency


def networks() -> explain.Model:
    names: list[str] = explain.list_models()
    model = explain.load_model(names[0], device="cpu")
    own = explain.wrap(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), classes=["cat", "dog"], output="softmax")
    scaled = explain.Preprocess((224, 224), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    explain.load_model("resnet18.pth", architecture="resnet18", preprocess=scaled)
    folder: Path = explain.save_model(own, "own")
    print(explain.__version__, folder, own.classes, model.layers[0].name, model.digest)
    return model


def pictures(model: explain.Model) -> None:
    print(explain.list_images())
    images = explain.load_images("photos")
    picture = explain.open_picture("photos/0")
    covered = explain.cover(picture, [(0, 0, 8, 8)], fill="blur")
    answers: list[list[tuple[str, float]]] = model.predict([picture, covered, images[0]], k=3)
    names: list[str] = explain.predict(model, images)
    name: str = explain.classify_image(picture)
    made = explain.batch("saliency", model, images, "maps", format=["png", "npz"], method="grad_cam")
    print(answers, names, name, made.table["score"], made.skipped, made.folder / "results.csv")


def maps(model: explain.Model) -> Sequence[Saliency]:
    array = np.zeros((224, 224, 3), np.uint8)
    found = explain.saliency(model, array, "smooth_grad", samples=10, noise=0.1, checked=True)
    if found.verdict:
        print(found.verdict.level, found.heat.shape, found.target.name, found.facts["method"])
    written: Path = found.save("cat.png", width_mm=90, mode="positive")
    size: tuple[int, ...] = found.figure(opacity=0.3).arrays["heat"].shape
    explain.saliency(model, "cat.png", method="lrp", target="tabby", layer=None, composite="epsilon_plus", epsilon=0.1)
    explain.saliency(model, torch.rand(3, 224, 224))
    explain.saliency(model, Path("cat.png"), region=(0, 0, 9, 9), progress=told)
    several: tuple[SaliencyMethod, ...] = ("gradient", "grad_cam")
    made = [explain.saliency(model, array, method) for method in several]
    dotted: dict[str, Any] = {"smooth_grad.samples": 5}
    grid = explain.saliency_grid(model, array, several, ["tabby", 3], second=array, **dotted)
    trust = explain.faithfulness(model, array, "edges", stages="independent", control=model)
    ranking = explain.leaderboard(model, explain.load_images("photos"), ["gradient", "rise"], count=4)
    some = explain.gallery(model, "photos", "grad_cam", which="first", positive=False)
    places = explain.segmentation(model, array)
    held = explain.robustness(model, "photos", baseline=model, corruptions=["frost"], severities=[1], count=2)
    print(held.errors, explain.corruptions(model, array, ["fog"], severity=2, method="grad_cam").table)
    print(explain.cka(model, model, "photos", layer="conv1", count=8).values)
    print(written, size, grid.facts, trust.verdict.words, ranking.table, some.tiles, places.labels.shape)
    return made


@METHODS.register
def blurred(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    _input_range: object,
    *,
    side: Annotated[int, Range(1, 99)] = 5,
) -> Tensor:
    """What a method of one's own says."""
    return torch.zeros(len(batch), *batch.shape[2:])


def own_method(model: explain.Model) -> None:
    options: dict[str, Any] = {"side": 3}
    print(explain.saliency(model, "cat.png", blurred, **options).heat)


def insides(model: explain.Model) -> None:
    explain.filters(model, "conv1", second=model).save("filters.png")
    print(explain.activations(model, "cat.png", model.layers[0].name).maps.shape)
    print(explain.unit(model, "cat.png", "conv1", 3, (1, 2), method="guided").summary)
    print(explain.convolution(model, "cat.png", "conv1", 3, (1, 2)).value)
    print(explain.anatomy(model).table, explain.compare(model, model).facts)
    print(explain.batch_costs(model, (1, 2), training=True).table)
    print(explain.output_size(size=32, padding=1).summary, explain.lecture_tables("vgg").rows)
    print(explain.optimiser_paths("saddle", ["gd", "sgd"], rates=[0.05], x=None).words)
    print(explain.ensemble([model, model], explain.load_images("photos"), margin=2).together.whole)
    print(explain.loss_surface(model, explain.load_images("photos"), model, steps=2).slices[0].roughness)
    print(explain.response_normalisation(2, way="across").words, explain.hand_set_filter("falling", side=7).response)


def many(model: explain.Model) -> None:
    index: explain.Index = explain.build_index(model, explain.load_images("photos", 50), k=4, progress=told)
    index = explain.open_index("index", model)
    explain.merge_indexes(["one", "two"], "both", model)
    print(index.top("conv1", 3)[0].score, index.neighbours(0, k=3)[0].distance, index.features.shape)
    print(
        explain.patches(index, "conv1", [0, 1], "best", per_picture=2).table,
        explain.channel(index, "conv1", 0, 7).facts,
    )
    print(explain.channel_names(index, "conv2", "label", rate=0.1, count=4).sentence())
    print(explain.paths(index, 3, "cat", levels=2, width=3).paths.kept)
    print(explain.relevant_patches(index, "conv1", "cat", 3, count=2, composite="epsilon").relevant_only)
    print(explain.wiring(index, "conv2", 3, "cat.png", "out", count=2).agreement)
    print(explain.feature_visualization(index, "conv1", [0, 3], "maco", facets=2, rate=0.2).table["natural_way"])
    print(explain.channel_health(index, "conv1").dead, explain.hierarchy(index, "cat.png", channels=2).facts)
    print(explain.neighbours(index, 3, k=4, metric="cosine").table, explain.agreement(index).summary)
    print(explain.flips(index, index, count=3).classes)
    print(explain.calibration(index, bins=10).temperature, explain.label_errors(index, count=3).suspects)
    print(explain.duplicates(index, index, near=1.5).facts, explain.outliers(index, train=index, k=5).table)
    print(explain.concepts(index, "act1", target="Bag", where="right=True", count=3, masks=16).table["importance"])
    print(explain.slices(index, count=2).facts, explain.fixes(index, seed=1).found)
    print(explain.influence(index, "cat.png", method="tracin", count=2).facts)
    print(explain.study(index, method="grad_cam", count=4).facts, explain.confusion(index, count=3).table)
    points = explain.embedding(index, "tsne", perplexity=5, pca_first=False, place=["cat.png"])
    print(points.points.shape, explain.embedding(index, "pca", dimensions=3).remarks)


def trainings() -> None:
    model = explain.train("lenet-fashion-mnist", folder="run", epochs=1)
    explain.training_curves([explain.open_run("run"), model, "other"]).save("curves.svg", part="curves")
    plan: list[Augmentation] = ["flip"]
    explain.augmentations("photos", plan, draws=2)
    explain.augmentations("photos", ["flip", ("crop", {"padding": 4})], seed=3)


def figures() -> None:
    try:
        explain.redraw(explain.read_facts("cat.png")).save("again.png")
    except explain.ExplainError as error:
        print(error)
    for name, view in explain.VIEWS.items():
        print(name, view.summary, list(view.parameters))


def told(done: float, total: float, message: str = "") -> None:
    print(done, total, message)

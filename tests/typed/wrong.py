"""Mistakes that `mypy --strict` reports, each at the line whose comment says of which kind it is; it is not run."""

from typing import Any

import explain


def mistakes(model: explain.Model, index: explain.Index, method: str) -> None:
    explain.saliencey(model, "cat.png")  # attr-defined
    print(explain.Saliency)  # attr-defined
    explain.saliency(model)  # call-arg
    explain.saliency("resnet18", "cat.png")  # arg-type
    explain.saliency(model, 3)  # arg-type
    explain.saliency(model, "cat.png", "grad_cm")  # arg-type
    explain.saliency(model, "cat.png", method)  # arg-type
    explain.saliency(model, "cat.png", "smooth_grad", sample=3)  # call-arg
    explain.saliency(model, "cat.png", "smooth_grad", samples="many")  # arg-type
    explain.saliency(model, "cat.png", "lime", baseline="grey")  # arg-type
    explain.saliency(model, "cat.png", check=True)  # call-arg
    print(explain.saliency(model, "cat.png").verdict.level)  # union-attr
    print(explain.saliency(model, "cat.png").score)  # attr-defined
    explain.saliency(model, "cat.png").save(3)  # arg-type
    explain.saliency_grid(model, "cat.png", ["gradient", "grad-cam"])  # list-item
    explain.faithfulness(model, "cat.png", stages="random")  # arg-type
    explain.unit(model, "cat.png", "conv1", "3")  # arg-type
    explain.unit(model, "cat.png", "conv1", 3, method="lrp")  # arg-type
    explain.gallery(model, "photos", which="last")  # arg-type
    explain.patches(index, "conv1", 3)  # arg-type
    explain.neighbours(index, "cat.png", metric="manhattan")  # arg-type
    explain.embedding(index, "t-sne")  # arg-type
    explain.embedding(index, "tsne", perplexity="5")  # arg-type
    explain.embedding(model, "pca")  # arg-type
    explain.augmentations("photos", ["flop"])  # list-item
    explain.lecture_tables("seven")  # arg-type
    explain.output_size(sise=3)  # call-arg
    print(explain.load_model("resnet18").predict("cat.png")[0].name)  # attr-defined
    explain.cover("cat.png", [], fill="pink")  # arg-type
    index.neighbours(0, space="picture")  # arg-type
    index.top("conv1", 0, "worst")  # arg-type
    explain.batch("embedding", index, "photos", "out")  # arg-type
    explain.train("lenet-fashion")  # arg-type
    explain.Preprocess(224, interpolation="bicubid")  # arg-type
    index.neighbours(0, metric="manhattan")  # arg-type
    wrong: int = explain.list_models()  # assignment
    print(wrong)


def untyped(picture: Any) -> explain.ImageSet:  # name-defined
    return explain.load_images(picture)

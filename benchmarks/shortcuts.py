"""The loss around a residual network of 20 layers and around the same without shortcuts, both trained alike (V28 in the
lectures; Li et al. 2018): test accuracy, the lowest and highest loss around, and roughness.

Both have the shipped small-resnet's recipe, for EPOCHS epochs over PICTURES of Fashion-MNIST. No bound: the lecture
shows a picture. What to expect at this depth: Li et al. find that it is at 56 layers that the difference is large.
"""

from machine import machine

import explain
from explain.data import ImageSet
from explain.training import RECIPES

PICTURES, EPOCHS, STEPS, COUNT, SEEDS = 20_000, 4, 7, 500, (0, 1)
RECIPE = RECIPES["small-resnet-fashion-mnist"]


def main() -> None:
    print(machine())
    few, test = explain.load_images("fashion-mnist-train").head(PICTURES), explain.load_images("fashion-mnist")
    for seed in SEEDS:
        models = [trained(shortcut, few, seed) for shortcut in ("padding", "none")]
        surface = explain.loss_surface(models[0], test, second=models[1], steps=STEPS, count=COUNT, seed=seed)
        for shortcut, model, one in zip(("shortcuts", "no shortcuts"), models, surface.slices, strict=True):
            accuracy = model.about["accuracy"]["test"]
            print(f"seed {seed}, {shortcut}: test {accuracy:.3f}, loss {one.centre:.3f}, up to {one.losses.max():.3g};")
            print(f"  roughness {one.roughness:.3f}, bending down at {one.concave:.0%} of places", flush=True)


def trained(shortcut: str, images: ImageSet, seed: int) -> explain.Model:
    options = {**RECIPE.options, "depth": 20, "width": 16, "shortcut": shortcut}
    return explain.train(RECIPE.name, images, epochs=EPOCHS, options=options, seed=seed)


if __name__ == "__main__":
    main()

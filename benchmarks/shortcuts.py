"""The loss around a residual network of 20 layers and around the same without shortcuts, both trained alike (V28 in the
lectures; Li et al. 2018): test accuracy, the lowest and highest loss around, and roughness.

Both have the shipped small-resnet's recipe, for EPOCHS epochs over PICTURES of Fashion-MNIST. No bound: the lecture
shows a picture. What to expect at this depth: Li et al. find that it is at 56 layers that the difference is large.
"""

import explain
from explain.training import RECIPES
from machine import machine

PICTURES, EPOCHS, PLACES, SEEDS = 20_000, 4, 21, (0, 1)
RECIPE = RECIPES["small-resnet-fashion-mnist"]


def main() -> None:
    print(machine())
    few, test = explain.load_images("fashion-mnist-train").head(PICTURES), explain.load_images("fashion-mnist")
    for seed in SEEDS:
        for shortcut in ("padding", "none"):
            options = {**RECIPE.options, "depth": 20, "width": 16, "shortcut": shortcut}
            model = explain.train(RECIPE.name, few, epochs=EPOCHS, options=options, seed=seed)
            surface = explain.loss_surface(model, test.head(500), size=PLACES)
            print(
                f"seed {seed}, shortcuts {shortcut}: test {model.about['accuracy']['test']:.3f}; {surface.words}",
                flush=True,
            )


if __name__ == "__main__":
    main()

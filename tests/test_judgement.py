"""What is said of a training's numbers, for numbers of which it is known what is wrong with them."""

import pytest

from explain.training.history import Run
from explain.training.judgement import remarks


def run_of(rows, accuracy=(), **recipe):
    numbered = [{"epoch": k, "loss": 1.0, **row} for k, row in enumerate(rows, 1)]
    return Run("a run", "done", "", {"epochs": len(rows), **recipe}, "pictures", numbered, dict(accuracy))


def levels(found):
    return [one.level for one in found]


def test_nothing_held_out_is_an_error():
    (only,) = remarks(run_of([{"train_accuracy": 0.99}]), 10)
    assert only.level == "error"
    assert "No pictures were held out" in only.words


@pytest.mark.parametrize(
    ("classes", "accuracy", "pictures", "learned"),
    [(10, 0.1, 10_000, False), (10, 0.108, 10_000, False), (10, 0.12, 10_000, True), (10, 0.12, 50, False),
     (2, 0.5, 1000, False), (2, 0.52, 1000, False), (2, 0.6, 1000, True), (2, 0.3, 1000, False)],
)  # fmt: skip
def test_what_guessing_gives_is_an_error(classes, accuracy, pictures, learned):
    found = remarks(run_of([{"train_accuracy": accuracy, "test_accuracy": accuracy}]), classes, pictures)
    assert ("error" in levels(found)) != learned


def test_guessing_is_called_so_in_19_of_20_runs_of_guesses():
    """Of 2,000 networks that guess, on 200 pictures of 4 classes: three standard errors are passed by one in 700."""
    import numpy as np

    right = np.random.default_rng(0).binomial(200, 0.25, 2000) / 200
    missed = sum("error" not in levels(remarks(run_of([{"test_accuracy": float(one)}]), 4, 200)) for one in right)
    assert missed < 20


def test_best_and_kept_epoch_are_named():
    rows = [{"train_accuracy": 0.7, "validation_accuracy": score} for score in (0.6, 0.72, 0.71)]
    (only,) = remarks(run_of(rows), 10)
    assert only.level == "info"
    assert "Best epoch: 2 (validation 72.0%). Its weights are those of epoch 3 (71.0%)." in only.words


def test_it_was_better_before():
    rows = [{"train_accuracy": 0.6, "test_accuracy": score} for score in (0.6, 0.8, 0.55)]
    assert levels(remarks(run_of(rows), 10)) == ["warning"]
    early = run_of([{**row, "validation_loss": loss} for row, loss in zip(rows, (2, 1, 3), strict=True)], patience=2)
    (only,) = remarks(early, 10)
    assert "epoch 2 (80.0%)" in only.words
    assert only.level == "info", "the weights of the best epoch were kept"


def test_by_heart():
    found = remarks(run_of([{"train_accuracy": 0.99, "test_accuracy": 0.8}]), 10)
    assert "by heart" in found[0].words
    assert levels(found) == ["warning", "info"]


def test_without_epochs_there_is_nothing_to_say():
    assert not remarks(run_of([]), 10)

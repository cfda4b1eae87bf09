"""training: the same seed gives the same weights, also where it was interrupted; and what cannot be is refused."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

import explain
from explain import store
from explain.data import ImageSet, from_arrays, load_images
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.nets import NETS
from explain.network.zoo import load_model
from explain.training import RECIPES, Recipe, read_run, recipe, train
from explain.training import checkpoint as checkpoints
from explain.training.chance import at_step, lot, order
from explain.training.history import run_of
from explain.training.metrics import hits
from explain.training.network import initialise
from explain.training.optimisers import OPTIMISERS
from explain.training.pictures import pictures, split
from explain.training.schedules import SCHEDULES, scaled_rate

RECIPE = "lenet-fashion-mnist"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, of ImageNet
# Everything that has a state of its own: dropout, batch norm, momentum, chance in pictures, a schedule that looks back.
WHOLE = {
    "options": {"activation": "relu", "dropout": 0.3, "norm": "batch"},
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 0.05,
    "optimiser": "adam",
    "schedule": "plateau",
    "schedule_options": {"patience": 0},
    "augmentation": (("crop", {"padding": 2}), "flip", "cutmix"),
    "label_smoothing": 0.1,
    "validation": 0.2,
    "patience": 5,
    "clip": 1.0,
}


@pytest.fixture(scope="module")
def few():
    return load_images("fashion-mnist", limit=512)


@pytest.fixture(scope="module")
def whole(few):
    """The training that the interrupted ones have to come to."""
    return run(few, **WHOLE)


def run(few, **changes):
    return train(RECIPE, few, **({"test": few, "epochs": 2, "batch_size": 128} | changes))


def weights(model):
    with model.exclusive() as net:
        return torch.cat([value.detach().reshape(-1).double().cpu() for value in net.state_dict().values()])


def rows(model):
    """History without the times."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in model.about["history"]]


def test_it_is_the_plain_loop(few):
    """O01: the same weights, to the bit, as a loop written down here."""
    model = run(few, epochs=2, learning_rate=0.1, options={"activation": "relu"}, device="cpu")
    net = NETS["lenet"](activation="relu").to(memory_format=torch.channels_last)
    initialise(net, torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(few.array)[:, None].float() / 255, torch.from_numpy(few.labels)
    for epoch in range(2):
        for chosen in order(0, epoch, 512).split(128):
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            slopes = torch.autograd.grad(loss, list(net.parameters()))
            with torch.no_grad():
                for parameter, slope in zip(net.parameters(), slopes, strict=True):
                    parameter.add_(slope, alpha=-0.1)
    expected = torch.cat([value.detach().reshape(-1).double() for value in net.state_dict().values()])
    assert torch.equal(weights(model), expected)


def test_same_seed(few, whole):
    """Equal to the bit, whatever the global generator did, and it is left alone."""
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = run(few, **WHOLE)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(whole), weights(again))
    assert whole.digest == again.digest
    assert rows(whole) == rows(again)
    assert not torch.equal(weights(run(few, **WHOLE, seed=1)), weights(whole))


class Enough(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 6, 7, 13, 18, 20])
def test_an_interrupted_training_goes_on_to_the_bit(few, whole, tmp_path, monkeypatch, after):
    monkeypatch.setattr("explain.training.fit.LIVE", 0)
    count = itertools.count(1)

    def stop(row):
        if next(count) == after:
            raise Enough

    with pytest.raises(Enough):
        run(few, **WHOLE, folder=tmp_path, on_step=stop, on_epoch=stop)
    assert read_run(tmp_path)["state"] == "interrupted"
    again = run(few, **WHOLE, folder=tmp_path)
    assert torch.equal(weights(again), weights(whole))
    assert rows(again) == rows(whole)
    assert read_run(tmp_path)["state"] == "done"
    assert load_model(tmp_path).digest == whole.digest


def test_interrupted_again_and_again(few, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("explain.training.fit.LIVE", 0)
    calls = itertools.count()

    def stop(_row):
        if next(calls) % 3 == 2:
            raise KeyboardInterrupt

    for _ in range(20):
        try:
            again = run(few, **WHOLE, folder=tmp_path, on_step=stop, on_epoch=stop)
            break
        except KeyboardInterrupt:
            continue
    assert torch.equal(weights(again), weights(whole))


@pytest.mark.parametrize("after", [1, 9])
def test_an_interrupt_within_a_step_leaves_no_half_of_it(few, whole, tmp_path, monkeypatch, after):
    """Ctrl-C can come when some of the weights are new: that is not kept, the checkpoint before is."""
    real, count = torch.optim.Adam.step, itertools.count()

    def step(self, closure=None):
        found = real(self, closure)
        if next(count) == after:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    with pytest.raises(KeyboardInterrupt):
        run(few, **WHOLE, folder=tmp_path)
    monkeypatch.setattr(torch.optim.Adam, "step", real)
    assert read_run(tmp_path)["state"] == "interrupted"
    assert torch.equal(weights(run(few, **WHOLE, folder=tmp_path)), weights(whole))


KILLED = """
import sys
from explain.data import load_images
from explain.training import fit, train
sys.path.insert(0, {tests!r})
import test_training
fit.LIVE = fit.KEEP = 0
few = load_images("fashion-mnist", limit=512)
print("begun", flush=True)
test_training.run(few, **test_training.WHOLE, folder={folder!r}, on_step=lambda row: print(row["step"], flush=True))
"""


@pytest.mark.exhaustive
def test_killed_at_any_moment(few, whole, tmp_path):
    """kill -9 again and again: each time what is there loads; in the end the weights are those of one whole run."""
    chance, folder = np.random.default_rng(0), tmp_path / "run"
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder))
    for _ in range(int(os.environ.get("EXPLAIN_KILLS", "20"))):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(float(chance.uniform(0, 0.6)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        checkpoints.load(folder)  # raises where it is damaged
    again = run(few, **WHOLE, folder=folder)
    assert torch.equal(weights(again), weights(whole))


def test_another_training_does_not_go_on(few, tmp_path):
    run(few, folder=tmp_path, epochs=1)
    with pytest.raises(BadValue, match="another training: its recipe"):
        run(few, folder=tmp_path, epochs=1, learning_rate=0.5)
    with pytest.raises(BadValue, match="another training: its data"):
        run(few.head(256), folder=tmp_path, epochs=1)
    model = run(few, folder=tmp_path, epochs=1, learning_rate=0.5, resume=False)
    assert load_model(tmp_path).digest == model.digest


def test_a_checkpoint_older_than_a_setting_goes_on(few, tmp_path, monkeypatch):
    """It was trained with what is that setting's default now."""
    settings = Recipe.settings
    monkeypatch.setattr(
        Recipe, "settings", lambda plan: {k: v for k, v in settings(plan).items() if k != "shuffle_labels"}
    )
    before = run(few, folder=tmp_path, epochs=1)
    monkeypatch.undo()
    assert torch.equal(weights(run(few, folder=tmp_path, epochs=1)), weights(before))
    with pytest.raises(BadValue, match="another training: its recipe"):
        run(few, folder=tmp_path, epochs=1, shuffle_labels=True)


def test_shuffled_labels_are_dealt_out(few):
    """V24: the same as a training on the same labels in another order; the test pictures keep theirs."""
    model = run(few, epochs=1, shuffle_labels=True)
    dealt = few.labels[lot(0, len(few)).numpy()]
    assert 0.05 < (dealt == few.labels).mean() < 0.2, "about one in ten by chance"
    assert np.array_equal(np.bincount(dealt), np.bincount(few.labels))
    expected = run(dataclasses.replace(few, labels=dealt), epochs=1)
    assert torch.equal(weights(model), weights(expected))
    assert model.about["accuracy"] == expected.about["accuracy"]
    (said,) = recipe(RECIPE).changed(shuffle_labels=True).warnings(recipe(RECIPE))
    assert "by lot" in said


def test_one_at_a_time(few, tmp_path):
    with store.lock(tmp_path), pytest.raises(BadValue, match="Another process trains"):
        run(few, folder=tmp_path)


def test_a_damaged_checkpoint_is_said(few, tmp_path):
    run(few, folder=tmp_path, epochs=1)
    file = tmp_path / "checkpoint.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadFile, match="damaged"):
        run(few, folder=tmp_path, epochs=1)


def test_a_full_disk_leaves_the_checkpoint_before(few, tmp_path, monkeypatch):
    real, count = store.write, itertools.count()

    def full(path, content):
        if Path(path).name == "checkpoint.pt" and next(count) == 1:
            raise BadFile("Cannot write: No space left on device.")
        return real(path, content)

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(BadFile, match="No space left"):
        run(few, folder=tmp_path, epochs=3)
    assert checkpoints.load(tmp_path)["epoch"] == 1
    assert read_run(tmp_path)["state"] == "failed"
    monkeypatch.setattr(store, "write", real)
    assert torch.equal(weights(run(few, folder=tmp_path, epochs=3)), weights(run(few, epochs=3)))


def test_divergence_is_said_and_not_kept(few, tmp_path):
    changes = {"learning_rate": 1e5, "options": {"activation": "relu"}, "epochs": 3, "folder": tmp_path}
    with pytest.raises(ExplainError, match=r"no longer finite in epoch 1, between step 1 and 4.*learning_rate=100000"):
        run(few, **changes)
    assert read_run(tmp_path)["state"] == "failed"
    assert "no longer finite" in read_run(tmp_path)["message"]
    assert checkpoints.load(tmp_path) is None


def test_learns(few):
    """From chance to better than it, with a net that does not saturate."""
    model = run(few, epochs=4, batch_size=32, learning_rate=0.05, options={"activation": "relu"})
    losses = [row["loss"] for row in model.about["history"]]
    assert losses[-1] < losses[0]
    assert model.about["accuracy"]["test"] > 0.3
    said = [
        ranked[0][0] == few.classes[label] for ranked, label in zip(model.predict(few, k=1), few.labels, strict=True)
    ]
    assert model.about["accuracy"]["test"] == np.mean(said)


def test_about(few):
    model = run(few, epochs=1, learning_rate=0.5)
    about = model.about
    assert about["recipe"] == RECIPES[RECIPE].changed(epochs=1, learning_rate=0.5, batch_size=128).settings()
    assert about["data"] == {"name": few.name, "digest": few.digest}
    (row,) = about["history"]
    assert (row["epoch"], row["learning_rate"]) == (1, 0.5)
    assert set(row["layers"]) == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    assert all(values["update"] > 0 for values in row["layers"].values())
    assert model.classes == few.classes
    json.dumps(about)


def test_saved(few, tmp_path):
    model = run(few, epochs=1, options={"activation": "tanh", "conv1": 3})
    again = load_model(explain.save_model(model, tmp_path / "mine"))
    assert again.digest == model.digest
    assert torch.equal(again.scores(few[0]), model.scores(few[0]))


def test_snapshots_are_models(few, tmp_path):
    final = run(few, folder=tmp_path, epochs=3, snapshots="1,3")
    first, last = (load_model(tmp_path / "snapshots" / name) for name in ("0001", "0003"))
    assert torch.equal(weights(last), weights(final))
    assert torch.equal(weights(first), weights(run(few, epochs=1)))


def test_stops(few):
    seen = []

    def progress(row):
        seen.append(row)
        return len(seen) == 2

    model = run(few, epochs=9, on_epoch=progress)
    assert len(model.about["history"]) == 2
    assert model.about["ended"] == "stopped"


def test_the_best_weights_come_back(few):
    """R04: it ends `patience` epochs after the best, whose weights it has."""
    changes = {"epochs": 40, "batch_size": 16, "learning_rate": 0.1, "options": {"activation": "relu"}}
    model = run(few, **changes, validation=0.5, patience=3)
    losses = [row["validation_loss"] for row in model.about["history"]]
    best = int(np.argmin(losses))
    assert len(losses) == best + 4
    assert "3 epochs" in model.about["ended"]
    until_then = run(few, **changes | {"epochs": best + 1}, validation=0.5)
    assert torch.equal(weights(model), weights(until_then))
    # And what is said of it is of these weights, in the card and wherever runs are compared.
    assert model.about["accuracy"] == until_then.about["accuracy"]
    row = model.about["history"][best]
    assert model.about["accuracy"]["validation"] == row["validation_accuracy"] != rows(model)[-1]["validation_accuracy"]
    told = run_of(model)
    assert [told.of_weights(name) for name in ("loss", "train_accuracy")] == [row["loss"], row["train_accuracy"]]
    assert f"in epoch {best + 1}, whose weights were kept" in explain.training_curves([model]).figure().note


def test_it_stops_where_the_gradient_ends():
    """O02: softmax regression has one minimum, but for what is added to all classes, and scikit-learn finds it too."""
    chance = np.random.default_rng(0)
    array, labels = chance.integers(0, 256, (60, 2, 2), np.uint8), np.arange(60) % 3
    images = ImageSet("noise", tuple(map(str, range(60))), labels.astype(np.int64), ("a", "b", "c"), array)
    model = train(
        dataclasses.replace(RECIPES[RECIPE], architecture="mlp"), images,
        options={"fc1": 0}, epochs=3000, batch_size=0, learning_rate=2.0, stop_norm=1e-5,
        optimiser_options={"momentum": 0.9},
    )  # fmt: skip
    assert "norm is below 1e-05" in model.about["ended"]
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(array.reshape(60, 4) / 255, labels)
    with model.exclusive() as net:
        found = np.hstack([net.fc1.weight.cpu().numpy(), net.fc1.bias.cpu().numpy()[:, None]])
    expected = np.hstack([oracle.coef_, oracle.intercept_[:, None]])
    np.testing.assert_allclose(found - found.mean(0), expected - expected.mean(0), atol=5e-3)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_optimiser_learns(few, name):
    rate = {"sgd": 0.1, "adagrad": 0.02, "rmsprop": 0.001, "adam": 0.002, "adamw": 0.002, "lbfgs": 1.0}[name]
    few, size = (few.head(128), 0) if name == "lbfgs" else (few, 32)
    model = run(few, epochs=4, batch_size=size, optimiser=name, learning_rate=rate, options={"activation": "relu"})
    assert model.about["history"][-1]["loss"] < 1.5


def test_lbfgs_goes_on_to_the_bit(few, tmp_path):
    few = few.head(128)
    changes = {"optimiser": "lbfgs", "batch_size": 0, "learning_rate": 1.0, "options": {"activation": "tanh"}}
    whole = run(few, epochs=3, **changes)

    def stop(row):
        if row["epoch"] == 2:
            raise Enough

    with pytest.raises(Enough):
        run(few, epochs=3, **changes, folder=tmp_path, on_epoch=stop)
    assert torch.equal(weights(run(few, epochs=3, **changes, folder=tmp_path)), weights(whole))


def rates(schedule, epochs, losses=None):
    """By torch's own, one value an epoch."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    made, found = schedule(optimiser), []
    for epoch in range(epochs):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        made.step(*([] if losses is None else [losses[epoch]]))
    return found


LR = torch.optim.lr_scheduler
LOSSES = [3, 2, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]


@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("constant", {}, lambda o: LR.ConstantLR(o, 1.0)),
        ("step", {"every": 5, "factor": 0.3}, lambda o: LR.StepLR(o, 5, 0.3)),
        ("multi_step", {"milestones": "3, 4,11"}, lambda o: LR.MultiStepLR(o, [3, 4, 11], 0.1)),
        ("exponential", {"factor": 0.9}, lambda o: LR.ExponentialLR(o, 0.9)),
        ("cosine", {"end": 0.05}, lambda o: LR.CosineAnnealingLR(o, 18, 0.05)),
        ("plateau", {"patience": 2}, lambda o: LR.ReduceLROnPlateau(o, patience=2)),
    ],
)
def test_schedules_are_torchs(name, options, theirs):
    history = [{"loss": loss} for loss in LOSSES]
    found = [SCHEDULES[name](at, 18, history[:at], **options) for at in range(18)]
    np.testing.assert_allclose(found, rates(theirs, 18, LOSSES if name == "plateau" else None), rtol=1e-6)


@pytest.mark.parametrize("part", ["validation", "train"])
def test_a_plateau_of_the_accuracy(part):
    """O15: the loss goes on falling, and the rate falls by ten where the accuracy stops, as torch's own in mode max."""
    accuracies = [0.3, 0.5, 0.6, 0.6, 0.59, 0.6, 0.7, 0.7, 0.7, 0.7, 0.69, 0.71]
    history = [{"loss": 1 / k, "train_accuracy": k / 100} for k in range(1, 13)]
    for row, value in zip(history, accuracies, strict=True):
        row[f"{part}_accuracy"] = value
    options = {"patience": 1, "watch": "accuracy"}
    found = [SCHEDULES["plateau"](at, 12, history[:at], **options) for at in range(13)]
    expected = rates(lambda o: LR.ReduceLROnPlateau(o, "max", patience=1), 12, accuracies)
    np.testing.assert_allclose(found[:12], expected, rtol=1e-6)
    assert found[0] == 1 > found[-1], "it does fall here"
    assert SCHEDULES["plateau"](12, 12, history, patience=1) == 1, "by the loss it would not"


def test_the_lectures_recipes_watch_the_accuracy():
    """O15: S2:550 and S2:864 say so."""
    watched = {name: plan.schedule_options.get("watch") for name, plan in RECIPES.items() if plan.schedule == "plateau"}
    assert set(watched.values()) == {"accuracy"}
    assert {"vgg16-imagenet", "resnet50-imagenet"} <= set(watched)


def test_the_rate_of_each_step(few):
    """O16: the warm-up, then the schedule counted from its end; the recipe of T04 in small."""
    seen = []
    settings = {"epochs": 4, "learning_rate": 0.1, "warmup": 2, "schedule": "step", "schedule_options": {"every": 1}}
    constant = run(few, **settings, warmup_shape="constant", warmup_factor=0.1, on_epoch=lambda row: seen.append(row))
    np.testing.assert_allclose([row["learning_rate"] for row in seen], [0.01, 0.01, 0.1, 0.01])
    assert [row.get("first_fall") for row in constant.about["history"]] == [None, None, None, True]
    linear = run(few, **settings, warmup_factor=0.0)
    np.testing.assert_allclose(linear.about["history"][0]["learning_rate"], 0.1 * 3 / 8)


def test_colours_are_normalised(tmp_path):
    """D04: the model's own preprocessing has it, so that what is trained on is what is asked of it later."""
    chance = np.random.default_rng(0)
    colours = from_arrays(chance.integers(0, 256, (12, 32, 32, 3), np.uint8), np.arange(12) % 2)
    settings = {"epochs": 1, "batch_size": 12, "validation": 0, "options": {"size": 32}, "schedule": "constant"}
    model = train("resnet18-imagenet", colours, folder=tmp_path, **settings)
    again = load_model(tmp_path)
    x = pictures(colours, again.preprocess, torch.device("cpu"))
    expected = (torch.from_numpy(colours.array).permute(0, 3, 1, 2) / 255).double().numpy()
    expected = (expected - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    np.testing.assert_allclose(x.ready(x.raw(slice(None))), expected, atol=1e-5)
    assert again.preprocess == model.preprocess
    with pytest.raises(BadValue, match="normalise='imagenet' is for 3 colours; the pictures have 1"):
        train(RECIPE, load_images("fashion-mnist", limit=20), normalise="imagenet", epochs=1)


def test_linear_scaling():
    """O17."""
    assert [scaled_rate(0.1, 128, size) for size in (128, 256, 512)] == [0.1, 0.2, 0.4]
    original = recipe("alexnet-fashion-mnist")
    (said,) = original.changed(batch_size=256).warnings(original)
    assert "gives 0.02" in said
    assert not original.changed(batch_size=256, learning_rate=0.02).warnings(original)


# T01 to T06 and X01 to X05: what the lectures print, read back from what the presets build.
PRINTED = {
    "alexnet-imagenet": (128, 0.01, {"momentum": 0.9, "weight_decay": 5e-4}),
    "vgg16-imagenet": (256, 0.01, {"momentum": 0.9, "weight_decay": 5e-4}),
    "googlenet-imagenet": (256, 0.01, {"momentum": 0.9, "weight_decay": 0}),
    "resnet50-imagenet": (256, 0.1, {"momentum": 0.9, "weight_decay": 1e-5}),
    "densenet121-imagenet": (256, 0.1, {"momentum": 0.9, "weight_decay": 1e-5}),
    "resnet18-imagenet": (256, 0.1, {"momentum": 0.9}),
    "lenet-fashion-mnist": (256, 0.9, {"momentum": 0}),
    "alexnet-fashion-mnist": (128, 0.01, {"momentum": 0}),
    "vgg11-fashion-mnist": (128, 0.05, {"momentum": 0}),
    "googlenet-fashion-mnist": (128, 0.1, {"momentum": 0}),
    "resnet18-fashion-mnist": (256, 0.05, {"momentum": 0}),
}


@pytest.mark.parametrize("name", PRINTED)
def test_presets_build_what_the_lectures_print(name):
    plan, (size, rate, options) = RECIPES[name], PRINTED[name]
    assert (plan.batch_size, plan.learning_rate) == (size, rate)
    (group,) = OPTIMISERS[plan.optimiser]([nn.Parameter(torch.zeros(1))], rate, **plan.optimiser_options).param_groups
    assert {key: group[key] for key in options} == options
    if name.endswith("fashion-mnist"):
        assert (plan.epochs, plan.initial, plan.schedule) == (10, "xavier", "constant")
    with torch.device("meta"):
        net = NETS[plan.architecture](**plan.options)
    dropouts = [module.p for module in net.modules() if isinstance(module, nn.Dropout)]
    if "alexnet" in name or "vgg" in name:
        assert dropouts == [0.5, 0.5], "not behind the last layer"
    if name == "googlenet-imagenet":
        assert dropouts == [0.7, 0.7, 0.4]
        fall = [SCHEDULES[plan.schedule](at, 250, [], **plan.schedule_options) for at in (0, 7, 8, 16)]
        np.testing.assert_allclose(fall, [1, 1, 0.96, 0.96**2])


def test_validation_pictures_are_apart(few):
    """D10: none twice, none lost, in the classes' proportions."""
    whole = pictures(few, load_model("lenet").preprocess, torch.device("cpu"))
    own, apart = split(whole, 0.25, 3)
    assert (len(own), len(apart)) == (384, 128)
    together = np.sort(np.concatenate([own.x.numpy(), apart.x.numpy()]).reshape(512, -1), axis=0)
    assert np.array_equal(together, np.sort(whole.x.numpy().reshape(512, -1), axis=0))
    counts = [torch.bincount(part.y, minlength=10) for part in (own, apart)]
    assert (counts[0] - 3 * counts[1]).abs().max() <= 3
    assert torch.equal(split(whole, 0.25, 3)[0].x, own.x)
    assert not torch.equal(split(whole, 0.25, 4)[0].x, own.x)


def test_label_smoothing_clipping_and_precision(few):
    """R06 by its formula in the first step; a short gradient makes a short step."""
    first = {"epochs": 1, "batch_size": 0}
    plain, smooth = run(few, **first), run(few, **first, label_smoothing=0.2)
    net = NETS["lenet"]()
    initialise(net, torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(few.array)[:, None].float() / 255, torch.from_numpy(few.labels)
    log = net(x).log_softmax(1)
    own, even = -log.gather(1, y[:, None]).mean(), -log.mean()
    assert plain.about["history"][0]["loss"] == pytest.approx(own.item(), rel=1e-6)
    assert smooth.about["history"][0]["loss"] == pytest.approx((0.8 * own + 0.2 * even).item(), rel=1e-6)
    clipped = run(few, **first, clip=1e-3)
    start = torch.cat([value.reshape(-1).double() for value in net.state_dict().values()])
    assert float((weights(clipped) - start).norm()) == pytest.approx(0.9 * 1e-3, rel=1e-3)
    half = run(few, **first, precision="bfloat16")
    assert half.about["history"][0]["loss"] == pytest.approx(own.item(), rel=0.02)
    assert half.about["history"][0]["loss"] != plain.about["history"][0]["loss"]


def test_auxiliary_heads_learn(few):
    plan = recipe("googlenet-fashion-mnist")
    small = few.head(48)
    options = {**plan.options, "auxiliary": True, "size": 64}
    model = train(plan, small, options=options, epochs=1, batch_size=24)
    assert model.scores(small[0]).shape == (1, 10)
    before = NETS["googlenet"](**options)
    initialise(before, torch.Generator().manual_seed(0))
    with model.exclusive() as net:
        assert not torch.equal(net.heads.aux1[-1].weight.cpu(), before.heads.aux1[-1].weight)


# ------------------------------------------------------------ transfer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of pictures of mixed modes and sizes."""
    root, chance = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, colour in (("red", (200, 30, 30)), ("green", (30, 200, 30))):
        (root / name).mkdir()
        for k in range(12):
            noise = chance.integers(0, 50, (20 + 3 * k, 40 - k, 3))
            image = Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
            kinds = ["RGB", "RGBA", "P"]
            image.convert(kinds[k % 3]).save(root / name / f"{k}.png")
    return root


def test_only_the_head_of_a_frozen_network_changes(folder):
    """R10: all else is equal to the bit, batch norms' statistics included."""
    start = load_model("resnet_cifar?depth=8&classes=5")
    model = train("transfer", folder, start=start, epochs=12, learning_rate=0.05, batch_size=8)
    with start.exclusive() as old, model.exclusive() as new:
        before, after = old.state_dict(), new.state_dict()
        changed = [
            key for key in after if after[key].shape != before[key].shape or not torch.equal(after[key], before[key])
        ]
    assert changed == ["fc.weight", "fc.bias"]
    assert model.classes == ("green", "red")
    assert model.about["accuracy"]["validation"] > 0.9
    assert model.predict(Image.new("RGB", (50, 60), (220, 40, 40)))[0][0][0] == "red"


def test_kept_features_are_the_whole_network(folder):
    """With chance in the pictures the frozen part has to run each time; with a chance that changes nothing, both ways
    learn the same."""
    start = load_model("resnet_cifar?depth=8")
    quick, whole = (
        train("transfer", folder, start=start, epochs=3, augmentation=plan, batch_size=8)
        for plan in ((), (("flip", {"probability": 0.0}),))
    )
    torch.testing.assert_close(weights(quick), weights(whole), rtol=1e-4, atol=1e-5)


def test_finetuning_changes_all(folder, tmp_path):
    start = load_model("resnet_cifar?depth=8")
    digest = start.digest
    model = train("transfer", folder, start=start, freeze=False, epochs=2, folder=tmp_path, batch_size=8)
    with start.exclusive() as old, model.exclusive() as new:
        pairs = [(old.state_dict()[key], value) for key, value in new.state_dict().items() if value.is_floating_point()]
        assert all(before.shape != after.shape or not torch.equal(before, after) for before, after in pairs)
    assert start._net is not model._net
    start.__dict__.pop("digest")
    assert start.digest == digest, "the network begun with is as it was"
    assert load_model(tmp_path).digest == model.digest


NAMES = [
    f"{name}?weights=random"
    for name in ("torchvision:squeezenet1_0", "torchvision:mobilenet_v2", "timm:mobilenetv3_small_050")
]


@pytest.mark.parametrize("name", NAMES)
def test_other_libraries_networks_get_a_new_head(folder, tmp_path, name):
    model = train("transfer", folder, start=load_model(name), epochs=1, folder=tmp_path, batch_size=8)
    assert model.scores(Image.new("RGB", (300, 200))).shape == (1, 2)
    assert load_model(tmp_path).digest == model.digest


# ------------------------------------------------------------ what cannot be


@pytest.mark.parametrize(
    ("changes", "kind", "part"),
    [
        ({"epoch": 3}, Unknown, "'epoch'"),
        ({"name": "x"}, Unknown, "'name'"),
        ({"epochs": 0}, BadValue, "epochs=0"),
        ({"epochs": 1.5}, BadValue, "epochs=1.5"),
        ({"batch_size": -1}, BadValue, "batch_size=-1"),
        ({"batch_size": 513}, BadValue, "batch_size=513 is more than the 512 pictures"),
        ({"learning_rate": 0}, BadValue, "learning_rate=0"),
        ({"learning_rate": float("nan")}, BadValue, "learning_rate=nan"),
        ({"seed": -1}, BadValue, "seed=-1"),
        ({"seed": "x"}, BadValue, "seed='x'"),
        ({"architecture": "lenett"}, Unknown, "'lenett'"),
        ({"options": {"bogus": 1}}, Unknown, "'bogus'"),
        ({"options": {"activation": "gelu"}}, Unknown, "'gelu'"),
        ({"options": {"classes": 3}}, BadValue, "3 classes"),
        ({"options": 3}, BadValue, "options=3"),
        ({"optimiser": "sdg"}, Unknown, "'sdg'"),
        ({"optimiser_options": {"momentum": 1.5}}, BadValue, "momentum=1.5"),
        ({"optimiser_options": {"beta1": 0.9}}, Unknown, "'beta1'"),
        ({"optimiser_options": {"nesterov": True}}, BadValue, "nesterov=True needs a momentum"),
        ({"optimiser": "lbfgs"}, BadValue, "L-BFGS takes all pictures at once"),
        ({"schedule": "steps"}, Unknown, "'steps'"),
        ({"schedule": "step", "schedule_options": {"every": 0}}, BadValue, "every=0"),
        ({"schedule": "multi_step", "schedule_options": {"milestones": "a"}}, BadValue, "milestones='a'"),
        ({"augmentation": ("flop",)}, Unknown, "'flop'"),
        ({"patience": 3}, BadValue, "patience=3 needs validation"),
        ({"validation": 0.999}, BadValue, "validation=0.999"),
        ({"validation": 0.001}, BadValue, "validation=0.001 cannot"),
        ({"snapshots": "first"}, BadValue, "snapshots='first'"),
        ({"precision": "int8"}, Unknown, "'int8'"),
    ],
    ids=str,
)
def test_bad_setting(few, changes, kind, part):
    with pytest.raises(kind) as caught:
        run(few, **changes)
    assert part in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_bad_recipe(few):
    with pytest.raises(Unknown, match=r"'lenet'.*lenet-fashion-mnist"):
        train("lenet", few)
    with pytest.raises(Unknown, match="'nothing'"):
        train(RECIPE, "nothing")


def test_bad_pictures(few, tmp_path):
    for name in ("cats", "dogs", "mice"):
        (tmp_path / "some" / name).mkdir(parents=True)
    for name in ("cats", "dogs"):
        Image.new("L", (8, 8)).save(tmp_path / "some" / name / "a.png")
    (tmp_path / "one" / "cats").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "one" / "cats" / "a.png")
    bad = {
        "needs labels": load_images("photos"),
        "without a label": dataclasses.replace(few, name="bad", labels=np.where(few.labels == 3, -1, few.labels)),
        "is empty": few[:0],
        "The class folder 'mice'": load_images(tmp_path / "some"),
        "has one class, 'cats'": load_images(tmp_path / "one"),
    }
    for part, images in bad.items():
        with pytest.raises(ExplainError) as caught:
            train(RECIPE, images, epochs=1)
        assert part in str(caught.value)
        assert repr(images.name) in str(caught.value)
    with pytest.raises(BadValue, match="classes of 'fashion-mnist' are not those"):
        train(RECIPE, dataclasses.replace(few, classes=tuple("abcdefghij")), test=few)


def test_no_memory_is_said_with_what_fits(few, monkeypatch):
    real = F.cross_entropy

    def small(scores, *args, **more):
        if len(scores) > 40:
            raise torch.OutOfMemoryError("out of memory")
        return real(scores, *args, **more)

    monkeypatch.setattr("explain.training.step.F.cross_entropy", small)
    with pytest.raises(ExplainError, match="no memory for batch_size=128 on cpu; batch_size=32 fits"):
        run(few, device="cpu")


# ------------------------------------------------------------ parts


def test_initialise():
    """Xavier-uniform: within its bound and filling it, from the given generator only."""
    nets = [nn.Sequential(nn.Conv2d(3, 50, 5), nn.Flatten(), nn.Linear(100, 80)) for _ in range(2)]
    for net in nets:
        initialise(net, torch.Generator().manual_seed(3))
    for layer, fans in ((0, 25 * (3 + 50)), (2, 180)):
        bound = (6 / fans) ** 0.5
        weight = nets[0][layer].weight
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.98 * bound
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert torch.equal(weight, nets[1][layer].weight)
        assert torch.equal(nets[0][layer].bias, nets[1][layer].bias)
    initialise(nets[0], torch.Generator().manual_seed(3), "he")
    assert nets[0][2].weight.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.05)


def test_zeros_leave_all_units_alike(few):
    """O20."""
    model = run(few, initial="zero", epochs=1, options={"activation": "tanh"})
    with model.exclusive() as net:
        assert (net.fc1.weight == net.fc1.weight[0]).all()
        assert (net.conv1.weight == net.conv1.weight[0]).all()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_hits(k):
    """D06: against sorting; equal scores by the order of classes, NaN last."""
    chance = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (200, 6), generator=chance).float()
    labels = torch.randint(0, 6, (200,), generator=chance)
    expected = [
        label in sorted(range(6), key=lambda c: (-row[c], c))[:k]
        for row, label in zip(scores.tolist(), labels.tolist(), strict=True)
    ]
    assert hits(scores, labels, k).tolist() == expected
    assert torch.equal(hits(scores, labels), scores.argmax(1) == labels)
    assert not hits(torch.full((1, 3), torch.nan), torch.tensor([0])).any()


def test_layers_draw_what_torchs_own_seed_would_give():
    before = torch.get_rng_state()
    at_step(3, 5, torch.device("cpu"))
    found = torch.rand(4)
    torch.manual_seed(torch.initial_seed())
    assert torch.equal(torch.rand(4), found)
    at_step(3, 6, torch.device("cpu"))
    assert not torch.equal(torch.rand(4), found)
    torch.set_rng_state(before)

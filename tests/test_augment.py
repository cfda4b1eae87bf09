"""augment: each augmentation against an oracle or a property, and one contract over all of them; and averaging."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as V

from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError, NotSupported, Unknown
from explain.figure import read_facts
from explain.network.model import Model, Preprocess
from explain.training import augment
from explain.training.augment import AUGMENTATIONS, augmented, check_plan
from explain.training.averaging import averaged, ten_crop_scores
from explain.views import augmentations
from explain.views.facts import Facts
from explain.views.inputs import PLAN
from explain.workspace.redraw import redraw

ONLY_COLOUR = {"pca_colour"}
MIXING = ("mixup", "cutmix", "cowmix")
NOTHING = {  # the options by which nothing changes
    "flip": {"probability": 0},
    "vertical_flip": {"probability": 0},
    "crop": {"padding": 0},
    "shift": {"vertical": 0, "horizontal": 0},
    "affine": {"rotation": 0, "translation": 0, "scale": 0, "shear": 0},
    "jitter": {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0},
    "pca_colour": {"alpha": 0},
    "noise": {"deviation": 0},
    "erase": {"probability": 0},
    **{name: {"probability": 0} for name in MIXING},
}


def pictures(count=6, channels=3, height=20, width=24, seed=0, dtype=torch.float32):
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def one_hot(count=6, classes=4):
    return F.one_hot(torch.arange(count) % classes, classes).float()


def ask(name, batch, labels=None, seed=0, **options):
    labels = one_hot(len(batch)) if labels is None else labels
    return AUGMENTATIONS[name](batch, labels, torch.Generator().manual_seed(seed), **options)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


# The contract ----------------------------------------------------------------


CASES = [(name, channels) for name in AUGMENTATIONS for channels in (1, 3)]


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_contract(name, channels):
    batch, labels = pictures(channels=channels), one_hot()
    if channels == 1 and name in ONLY_COLOUR:
        with pytest.raises(NotSupported, match="3 channels"):
            ask(name, batch, labels)
        return
    before, before_labels, state = batch.clone(), labels.clone(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()
    drawn, drawn_labels = ask(name, batch, labels)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.equal(batch, before)
    assert torch.equal(labels, before_labels)
    assert (drawn.shape, drawn.dtype, drawn.device) == (batch.shape, batch.dtype, batch.device)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert not torch.equal(drawn, batch)
    torch.testing.assert_close(drawn_labels.sum(1), torch.ones(6))
    assert torch.equal(drawn_labels, labels) or name in MIXING
    again, again_labels = ask(name, batch, labels)
    assert torch.equal(again, drawn)
    assert torch.equal(again_labels, drawn_labels)
    assert any(not torch.equal(ask(name, batch, labels, seed)[0], drawn) for seed in (1, 2, 3))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_picture_has_a_draw_of_its_own(name):
    batch = pictures(1).expand(64, -1, -1, -1)
    if name in MIXING:  # of the same picture there is nothing to mix
        batch = pictures(2).repeat(32, 1, 1, 1)
        batch[::2], batch[1::2] = 0, 1
    drawn = ask(name, batch)[0][::2]
    assert len({picture.numpy().tobytes() for picture in drawn}) > (1 if "flip" in name else 2)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_batches_and_precision(name, dtype):
    for count in (0, 1):
        batch = pictures(count, dtype=dtype)
        labels = one_hot(count).to(dtype)
        drawn, drawn_labels = augmented(batch, labels, check_plan([name]), torch.Generator())
        assert (drawn.shape, drawn.dtype) == (batch.shape, dtype)
        assert drawn_labels.dtype == dtype
        torch.testing.assert_close(drawn_labels, labels)


@pytest.mark.parametrize("name", NOTHING)
def test_options_by_which_nothing_changes(name):
    for channels in (1, 3) if name not in ONLY_COLOUR else (3,):
        batch, labels = pictures(channels=channels), one_hot()
        drawn, drawn_labels = ask(name, batch, labels, **NOTHING[name])
        assert torch.equal(drawn, batch)
        assert torch.equal(drawn_labels, labels)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_says_what_it_does_and_when_it_harms(name):
    entry = AUGMENTATIONS[name]
    assert entry.summary.endswith(".")
    assert entry.caveat
    assert all(option.help for option in entry.options.values())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_options_keep_range_size_and_labels(data):
    name = data.draw(st.sampled_from(list(AUGMENTATIONS)))
    options = {}
    for key, option in AUGMENTATIONS[name].options.items():
        if isinstance(option.bounds, augment.Choices):
            options[key] = data.draw(st.sampled_from(option.bounds.values))
        else:
            kind = st.integers if option.type is int else st.floats
            options[key] = data.draw(kind(option.bounds.low, option.bounds.high))
    count, height, width = (data.draw(st.integers(1, most)) for most in (4, 13, 13))
    batch, labels = pictures(count, 3, height, width), one_hot(count)
    try:
        drawn, drawn_labels = ask(name, batch, labels, data.draw(st.integers(0, 99)), **options)
    except BadValue as error:
        assert "the side of the pictures" in str(error)
        return
    assert drawn.shape == batch.shape
    assert drawn.isfinite().all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    torch.testing.assert_close(drawn_labels.sum(1), torch.ones(count))
    assert drawn_labels.min() >= 0


# Place -----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "side"), [("flip", -1), ("vertical_flip", -2)])
def test_flips(name, side):
    batch = pictures()
    once = ask(name, batch, probability=1)[0]
    assert torch.equal(once, batch.flip(side))
    assert torch.equal(ask(name, once, probability=1)[0], batch)
    some = ask(name, pictures(2000, 1, 2, 2), probability=0.3)[0]
    share = (some != pictures(2000, 1, 2, 2)).flatten(1).any(1).float().mean()
    assert 0.25 < share < 0.35


@pytest.mark.parametrize(("fill", "mode"), [("zero", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [1, 3])
def test_a_crop_is_a_window_of_the_padded_picture(fill, mode, padding):
    batch = pictures(40)
    padded = F.pad(batch, (padding,) * 4, mode=mode)
    drawn, found = ask("crop", batch, padding=padding, fill=fill)[0], []
    for whole, window in zip(padded, drawn, strict=True):
        places = [
            (y, x)
            for y in range(2 * padding + 1)
            for x in range(2 * padding + 1)
            if torch.equal(whole[:, y : y + 20, x : x + 24], window)
        ]
        assert len(places) == 1
        found += places
    assert {y for y, _ in found} == {x for _, x in found} == set(range(2 * padding + 1))


def test_a_shift_rolls_and_fills_with_zeros():
    batch = pictures(40)
    drawn, found = ask("shift", batch, vertical=2, horizontal=1)[0], set()
    for picture, moved in zip(batch, drawn, strict=True):
        for down in range(-2, 3):
            for right in range(-1, 2):
                rolled = picture.roll((down, right), (1, 2))
                rolled[:, : max(down, 0)], rolled[:, 20 + min(down, 0) :] = 0, 0
                rolled[:, :, : max(right, 0)], rolled[:, :, 24 + min(right, 0) :] = 0, 0
                if torch.equal(rolled, moved):
                    found.add((down, right))
                    break
    assert len(found) == 15


@pytest.mark.parametrize(("name", "options"), [("crop", {"padding": 9}), ("shift", {"vertical": 9})])
def test_nothing_is_left_of_a_small_picture(name, options):
    with pytest.raises(BadValue, match=r"=9 is not below 8"):
        ask(name, pictures(height=8), **options)


@pytest.mark.parametrize("window", [(0, 0, 20, 24), (3, 5, 9, 14), (19, 23, 1, 1), (0, 4, 20, 7)])
def test_a_resized_window_against_torchvision(window):
    batch = pictures(2, dtype=torch.float64)
    top, left, height, width = (number.double() for number in numbers(*window))
    y = augment._stretched(top.view(1, 1, 1, 1).expand(2, 1, 1, 1), height.view(1, 1, 1, 1), 20)
    x = augment._stretched(left.view(1, 1, 1, 1).expand(2, 1, 1, 1), width.view(1, 1, 1, 1), 24)
    wanted = V.resized_crop(batch, *window, [20, 24], antialias=False)
    torch.testing.assert_close(augment._sampled(batch, y, x, "border"), wanted)


def test_the_windows_are_as_large_as_asked():
    ramp = torch.linspace(0, 1, 32).expand(400, 1, 32, 32)  # its slope says how wide a window was
    drawn = ask("resized_crop", ramp, area=0.25, ratio=1)[0]
    width = (drawn[:, 0, 0, 20] - drawn[:, 0, 0, 10]) / 10 * 31 * 32
    assert 15.9 < width.min() < 17
    assert 31 < width.max() < 32.1
    assert torch.allclose(ask("resized_crop", ramp, area=1, ratio=1)[0], ramp, atol=1e-5)


def moved(batch, degrees=0.0, size=1.0, slant=0.0, down=0.0, right=0.0):
    return augment._moved(batch, *(numbers(value).to(batch) for value in (degrees, size, slant, down, right)))


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_quarter_turn_of_a_square(degrees):
    batch = torch.zeros(1, 1, 12, 12)
    batch[..., 1:4, 2:7] = 1
    torch.testing.assert_close(moved(batch, degrees), batch.rot90(-degrees // 90, (2, 3)), atol=2e-6, rtol=0)


def test_a_translation_is_a_shift():
    batch = pictures(1)
    wanted = torch.zeros_like(batch)
    wanted[..., 3:, :-2] = batch[..., :-3, 2:]
    torch.testing.assert_close(moved(batch, down=3, right=-2), wanted, atol=1e-5, rtol=0)


@settings(max_examples=60, deadline=None)
@given(
    degrees=st.floats(-180, 180),
    size=st.floats(0.5, 2),
    slant=st.floats(-40, 40),
    down=st.integers(-5, 5),
    right=st.integers(-5, 5),
)
def test_affine_against_torchvision(degrees, size, slant, down, right):
    batch = pictures(1, height=15, dtype=torch.float64)
    bilinear = V.InterpolationMode.BILINEAR
    wanted = V.affine(batch, degrees, [right, down], size, [slant, 0.0], interpolation=bilinear)
    found = moved(batch, degrees, size, slant, down, right)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


# Colour ----------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("option", ["brightness", "contrast", "saturation", "hue"])
def test_jitter_against_torchvision(option, channels, monkeypatch):
    batch, factor = pictures(2, channels), 0.3 if option == "hue" else 1.6
    monkeypatch.setattr(
        augment, "_uniform", lambda batch, chance, low, high: numbers(*[factor if high > low else (low + high) / 2] * 2)
    )
    options = dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0.0) | {option: 0.4}
    wanted = getattr(V, f"adjust_{option}")(batch, factor)
    torch.testing.assert_close(ask("jitter", batch, **options)[0], wanted, atol=2e-6, rtol=0)


def test_grey_has_no_colour_to_change():
    grey = pictures(4, 1)
    assert torch.equal(ask("jitter", grey, brightness=0, contrast=0, saturation=1, hue=0.5)[0], grey)
    same = ask("jitter", grey.expand(-1, 3, -1, -1), brightness=0, contrast=0, saturation=1, hue=0.5)[0]
    torch.testing.assert_close(same, grey.expand(-1, 3, -1, -1), atol=2e-4, rtol=0)  # grey's weights sum to 0.9999


def test_pca_colour_against_numpy():
    batch = pictures(5, dtype=torch.float64) * 0.2 + 0.4 + pictures(1, 1, dtype=torch.float64) * 0.1
    drawn = ask("pca_colour", batch, alpha=0.5, seed=3)[0]
    pixels = batch.numpy().transpose(0, 2, 3, 1).reshape(-1, 3)
    values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False, bias=True))
    alphas = 0.5 * torch.randn(5, 3, generator=torch.Generator().manual_seed(3)).numpy()
    added = (drawn - batch).numpy()
    assert np.ptp(added, axis=(2, 3)).max() < 1e-12, "one colour a picture"
    along = added[:, :, 0, 0] @ vectors  # each picture's part of each axis, whose sign is free
    np.testing.assert_allclose(np.abs(along), np.abs(alphas * values), atol=1e-9)
    grey = batch[:, :1].expand(-1, 3, -1, -1)
    stay = ask("pca_colour", grey)[0]
    torch.testing.assert_close(stay, stay[:, :1].expand(-1, 3, -1, -1), msg="grey pixels vary along grey only")


def test_pca_colour_along_the_axes_of_imagenet():
    vectors = augment._imagenet_axes()[1]
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(3).double(), atol=2e-3, rtol=0)
    assert not torch.equal(ask("pca_colour", pictures(), axes="imagenet")[0], ask("pca_colour", pictures())[0])


def test_noise_has_the_deviation_asked_for():
    added = ask("noise", torch.full((4, 3, 50, 50), 0.5), deviation=0.1)[0] - 0.5
    assert abs(added.std() - 0.1) < 0.002
    assert abs(added.mean()) < 0.002


@pytest.mark.parametrize("fill", ["zero", "noise"])
def test_what_is_erased_is_a_box(fill):
    batch = pictures(200) * 0.5 + 0.5
    drawn = ask("erase", batch, probability=1, area=0.3, fill=fill)[0]
    gone = (drawn != batch).any(1)
    shares = gone.float().mean((1, 2))
    for one in gone:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns)
        assert (rows.int().diff().abs().sum() <= 2) & (columns.int().diff().abs().sum() <= 2)
    assert shares.min() < 0.05
    assert 0.25 < shares.max() < 0.36
    assert fill == "noise" or not drawn[gone[:, None].expand_as(drawn)].any()


# Mixtures --------------------------------------------------------------------


def flat(count=8):
    """Picture k is all k / count, so each pixel says whose it is; labels the same."""
    return torch.arange(count).div(count).view(-1, 1, 1, 1).expand(-1, 3, 20, 24), torch.eye(count)


@pytest.mark.parametrize("name", ["cutmix", "cowmix"])
def test_labels_weigh_by_the_area_that_is_seen(name):
    batch, labels = flat()
    for seed in range(5):
        drawn, weights = ask(name, batch, labels, seed)
        seen = torch.stack([(drawn[:, 0] - k / 8).abs().lt(1e-6).float().mean((1, 2)) for k in range(8)], 1)
        torch.testing.assert_close(weights, seen)
        assert ((weights > 0).sum(1) <= 2).all()


def test_cutmix_cuts_boxes_of_all_areas():
    batch = torch.zeros(600, 1, 20, 20)
    batch[::2] = 1
    drawn, weights = ask("cutmix", batch, torch.eye(600))
    cut = (drawn != batch)[:, 0]
    for one in cut:
        assert torch.equal(one, one.any(1)[:, None] & one.any(0))
    assert 0.2 < 1 - weights.diagonal().mean() < 0.5  # half, but for what lies beyond the edge


def test_cutmix_cuts_the_box_that_torchvision_cuts(monkeypatch):
    """Its box for a share and a centre: the two differ in how they draw these only."""
    batch, labels, share, y, x = flat(2)[0], torch.eye(2), 0.7, 13, 4
    theirs = v2.CutMix(num_classes=2)
    theirs._dist = type("Fixed", (), {"sample": lambda self, _: torch.tensor([share])})()
    monkeypatch.setattr(torch, "randint", lambda high, size=(), **_: torch.tensor([{24: x, 20: y}[high]]))
    box = theirs.make_params([batch])["box"]
    monkeypatch.undo()
    centres = iter([(y + 0.5) / 20, (x + 0.5) / 24, 0.0])
    monkeypatch.setattr(augment, "_beta", lambda *_: numbers(share, share))
    monkeypatch.setattr(augment, "_uniform", lambda *_: numbers(*[next(centres)] * 2))
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: torch.tensor([1, 0]))
    x1, y1, x2, y2 = box
    wanted = batch.clone()
    wanted[..., y1:y2, x1:x2] = batch.flip(0)[..., y1:y2, x1:x2]
    assert torch.equal(ask("cutmix", batch, labels)[0], wanted)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_is_linear(alpha):
    batch = pictures(64, dtype=torch.float64)
    labels = torch.eye(64, dtype=torch.float64)
    drawn, weights = ask("mixup", batch, labels, alpha=alpha)
    torch.testing.assert_close(drawn.flatten(1), weights @ batch.flatten(1))
    assert ((weights > 0).sum(1) <= 2).all()
    own = weights.diagonal()
    middle = ((own > 0.1) & (own < 0.9)).double().mean()
    assert middle > 0.6 if alpha == 1 else middle < 0.5


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), blur=st.floats(0.02, 1), seed=st.integers(0, 99), height=st.integers(1, 30))
def test_the_cow_mask_has_the_share_asked_for(share, blur, seed, height):
    batch = torch.zeros(3, 1, height, 24)
    mask = augment._cow_mask(batch, torch.Generator().manual_seed(seed), numbers(share, share, 0.5), blur)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    counted = mask.sum((1, 2, 3))
    pixels = height * 24
    assert (counted[:2] - share * pixels).abs().max() <= 0.5 + 1e-4 * pixels
    assert counted[2] == pixels / 2


def test_wider_blur_gives_larger_patches():
    def edges(blur):
        mask = augment._cow_mask(torch.zeros(50, 1, 32, 32), torch.Generator(), torch.full((50, 1, 1, 1), 0.5), blur)
        return mask.diff(dim=3).abs().mean()

    assert edges(0.05) > 2 * edges(0.25) > 2 * edges(1.0)


def test_the_share_of_cowmix_is_bounded():
    weights = ask("cowmix", *flat(200), low=0.3)[1]
    own = weights.max(1).values[weights.diagonal() < 1]
    assert own.max() <= 0.7 + 1e-3


# Plans -----------------------------------------------------------------------


def test_a_plan_is_checked_and_keeps_its_order():
    plan = check_plan(["flip", ("crop", {"padding": "2"}), ["flip", {"probability": 1}]])
    assert plan == (
        ("flip", {"probability": 0.5}),
        ("crop", {"padding": 2, "fill": "zero"}),
        ("flip", {"probability": 1.0}),
    )
    assert check_plan(plan) == plan
    assert check_plan([]) == ()


def test_a_plan_is_done_in_its_order():
    batch, labels = pictures(), one_hot()
    steps = [("shift", {}), ("erase", {"probability": 1})]

    def done(steps):
        return augmented(batch, labels, check_plan(steps), torch.Generator().manual_seed(1))[0]

    chance, by_hand = torch.Generator().manual_seed(1), batch
    for name, _ in steps:
        by_hand = AUGMENTATIONS[name](by_hand, labels, chance, **dict(steps)[name])[0]
    assert torch.equal(done(steps), by_hand)
    assert not torch.equal(done(steps), done(steps[::-1]))
    assert augmented(batch, labels, (), torch.Generator())[0] is batch


@pytest.mark.parametrize(
    ("plan", "kind", "said"),
    [
        (["flop"], Unknown, "Unknown augmentation 'flop'. Did you mean 'flip'"),
        ([("flip", {"chance": 1})], Unknown, "Unknown option of flip 'chance'"),
        ([("flip", {"probability": 2})], BadValue, "probability=2.0 is outside 0 to 1"),
        ([("flip", {"probability": "often"})], BadValue, "probability='often' is not a number"),
        ([("crop", {"fill": "white"})], Unknown, "'white'.*zero, reflect"),
        ("flip", BadValue, "'flip' are not a list"),
        (None, BadValue, "None are not a list"),
        ([3], BadValue, "3 is not the name"),
        ([("flip",)], BadValue, "is not the name"),
        ([("flip", 3)], BadValue, "is not the name"),
        ([([], {})], Unknown, "Unknown augmentation"),
        (["flip"] * 21, BadValue, "at most 20"),
    ],
)
def test_bad_plans_are_refused(plan, kind, said):
    with pytest.raises(kind, match=said):
        check_plan(plan)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_draws_on_a_gpu(name):
    batch, labels = pictures(), one_hot()
    here, there = ask(name, batch, labels), ask(name, batch.cuda(), labels.cuda())
    assert there[0].is_cuda
    assert there[1].is_cuda
    different = (here[0] - there[0].cpu()).abs() > 1e-4
    assert different.float().mean() < 0.01
    torch.testing.assert_close(here[1], there[1].cpu())


# Averaging -------------------------------------------------------------------


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)).eval()


def small(seed, classes="abcde"):
    return Model(f"net{seed}", net(seed), Preprocess((12, 12), 12, (0.0,), (1.0,), 1), tuple(classes))


def test_ten_crops_are_averaged():
    batch, asked = pictures(3, 1, 14, 16), net()
    crops = v2.TenCrop((12, 10))(batch)
    wanted = torch.stack([asked(one).softmax(1) for one in crops]).mean(0)
    found = ten_crop_scores(asked, batch, (12, 10))
    torch.testing.assert_close(found, wanted.detach())
    torch.testing.assert_close(found.sum(1), torch.ones(3))
    assert not found.requires_grad
    torch.testing.assert_close(found, ten_crop_scores(asked, batch.flip(-1), (12, 10)), msg="mirrored, the same ten")


def test_one_crop_is_the_plain_score():
    batch, asked = pictures(3, 1, 14, 14), net()
    plain = asked(batch).softmax(1).detach()
    torch.testing.assert_close(ten_crop_scores(asked, batch, 14, flip=False), plain)
    both = (plain + asked(batch.flip(-1)).softmax(1).detach()) / 2
    torch.testing.assert_close(ten_crop_scores(asked, batch, 14), both)
    for size in (15, 0, (14, 20)):
        with pytest.raises(BadValue, match="do not fit"):
            ten_crop_scores(asked, batch, size)


def test_ensembles():
    images = [(picture[0].numpy() * 255).astype(np.uint8) for picture in pictures(4, 1, 12, 12)]
    models = [small(seed) for seed in range(3)]
    found = averaged(models, images)
    each = torch.stack([model.scores(images).softmax(1) for model in models])
    torch.testing.assert_close(found, each.mean(0))
    torch.testing.assert_close(averaged(models[:1], images), each[0])
    for label in range(5):  # by Jensen's inequality
        assert -found[:, label].log().mean() <= -each[:, :, label].log().mean() + 1e-6


def test_an_ensemble_needs_the_same_classes():
    image = np.zeros((12, 12), np.uint8)
    with pytest.raises(BadValue, match="at least one"):
        averaged([], image)
    with pytest.raises(BadValue, match=r"'net0' and 'net1' cannot be averaged"):
        averaged([small(0), small(1, "abced")], image)


# The preview -----------------------------------------------------------------


def preview(plan=("flip",), images="fashion-mnist", **options):
    return augmentations.compute(images, plan, **{"count": 4, "draws": 3, **options})


def test_the_preview_is_what_training_would_do():
    result = preview(["crop", "cutmix"], seed=7)
    array = torch.from_numpy(load_images("fashion-mnist").array[:4]).float().div(255)[:, None]
    chance, plan = torch.Generator().manual_seed(7), check_plan(["crop", "cutmix"])
    for draw in range(3):
        drawn, weights = augmented(array, torch.eye(4), plan, chance)
        assert (result.drawn[:, draw] == (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()).all()
        assert (result.weights[:, draw] == weights.numpy()).all()
    assert (result.pictures[..., 0] == load_images("fashion-mnist").array[:4]).all()
    assert result.labels == ("Ankle boot", "Pullover", "Trouser", "Trouser")
    more = preview(["crop", "cutmix"], seed=7, draws=5)
    assert (more.drawn[:, :3] == result.drawn).all(), "more draws begin with the same"


def test_the_mixture_is_written_where_labels_mix():
    result = preview(["cutmix"], seed=2, draws=6)
    figure = result.figure()
    assert figure.columns == 7
    assert len(figure.panels) == 4 * 7
    mixed = 0
    for k in range(4):
        assert figure.panels[7 * k].caption == "as it is"
        for d in range(6):
            found, caption = result.mixture(k, d), figure.panels[7 * k + d + 1].caption
            assert sum(found.values()) == pytest.approx(1)
            assert (len(found) > 1) == ("%" in caption)
            assert all(name in caption for name in found) or len(found) == 1
            mixed += len(found) > 1
    assert mixed > 3
    assert not any("%" in panel.caption for panel in result.figure(mixtures=False).panels)
    assert sum(figure.table["weight"]) == pytest.approx(24)
    assert "CutMix" in figure.title
    assert AUGMENTATIONS["cutmix"].caveat in figure.note


def test_pictures_of_several_sizes_are_cut_alike():
    photos = load_images("photos")[:3]
    assert preview(images=photos).drawn.shape == (3, 3, 128, 128, 3)
    assert preview(images=list(photos), size=32).drawn.shape == (3, 3, 32, 32, 3)
    odd = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
    assert preview(["mixup"], odd).drawn.shape == (2, 3, 20, 30, 3)
    assert preview(["mixup"], odd).labels == ("picture 1", "picture 2")
    assert augmentations.compute(odd, ["mixup"], labels=["x", "y"]).labels == ("x", "y")
    assert preview(images=photos).table["file"][0] == "photos/chelsea.png"


def test_facts_of_a_file_name_no_place(tmp_path):
    for name, colour in (("a", "red"), ("b", "green")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for images, named in ((tmp_path, tmp_path.name), (files, "'a.png'")):
        figure = preview(["shift"], images, seed=3).figure()
        assert figure.table["file"][0] == "a.png"
        facts = read_facts(figure.encode("png", width_mm=80, dpi=60))
        assert str(tmp_path) not in str(facts)
        with pytest.raises(BadFile, match=rf"{named}.*not kept here"):
            redraw(facts)
        given = load_images(images) if images is tmp_path else images
        assert redraw(facts, image=given).encode("npz") == figure.encode("npz", width_mm=80, dpi=60)
    Image.new("RGB", (8, 8), "blue").save(files[0])
    with pytest.raises(BadValue, match="other pixels"):
        redraw(facts, image=files)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("fashion-mnist", ["pca_colour"]), NotSupported, "3 channels, not 1"),
        (("fashion-mnist", ["flop"]), Unknown, "augmentation 'flop'"),
        (("nope", ["flip"]), Unknown, "image set 'nope'"),
        (([], ["flip"]), BadValue, "no pictures"),
        (([3], ["flip"]), BadValue, "cannot be a int"),
    ],
)
def test_bad_previews_are_refused(arguments, kind, said):
    with pytest.raises(kind, match=said):
        augmentations.compute(*arguments)


def test_there_is_a_label_for_each_picture():
    with pytest.raises(BadValue, match="each of the 4 pictures"):
        preview(labels=["Coat"])


PLANS = {
    "none": (),
    "flip": ("flip",),
    "crop:padding=8,flip": (("crop", {"padding": 8}), "flip"),
    "crop:padding=8,fill=reflect,erase:area=0.25,flip,flip": (
        ("crop", {"padding": 8, "fill": "reflect"}), ("erase", {"area": 0.25}), "flip", "flip",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", PLANS)
def test_a_plan_is_a_text_python_and_facts(text):
    plan = check_plan(PLANS[text])
    assert PLAN.parse(text, {}) == plan
    assert PLAN.text(plan) == text
    assert check_plan(eval(PLAN.python(plan))) == plan
    facts = Facts(json.loads(json.dumps({"plan": PLAN.facts(plan, {})})))
    assert PLAN.read(facts, "plan", {}, None) == plan


@pytest.mark.parametrize("text", ["padding=8", "flip:chance=1", "flip:probability", "crop:padding=often", "flop,flip"])
def test_a_bad_plan_is_refused_in_words(text):
    with pytest.raises(ExplainError):
        PLAN.parse(text, {})


@pytest.mark.parametrize(
    "plan",
    ["flip", [["flip"]], [[["flip"], {}]], [["flip", 3]], [["flip", {"probability": 10**400}]], [3],
     [["flip", {}]] * 21],
)  # fmt: skip
def test_a_bad_plan_in_facts_is_refused(plan):
    with pytest.raises(ExplainError):
        PLAN.read(Facts({"plan": plan}), "plan", {}, None)


@pytest.mark.parametrize(
    "option", [{"count": 0}, {"count": 33}, {"draws": 0}, {"draws": 99}, {"seed": -1}, {"size": 513}, {"seed": 1.5}]
)
def test_options_of_a_preview_are_checked(option):
    with pytest.raises(BadValue, match=f"Option {next(iter(option))}="):
        preview(**option)

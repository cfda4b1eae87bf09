"""Every view that needs no training on timm's families of networks: right by torch alone, or a refusal in one line.

Each family (a file of timm's) is there by one or two of its smallest, with random weights and small pictures.
`PYTHONPATH=tests python -m tests.test_timm_families` prints the matrix, with each refusal.
"""

import copy
import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from near import is_peak
from own_networks import picture
from torch import nn

import explain
from explain.errors import ExplainError

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

CLASSES = ("a", "b", "c", "d", "e")
TARGET = 1
SIDE = 64
# Options of timm's `create_model`; img_size is the pictures' side as well, or side where that is no option.
NETWORKS = {
    "beit_base_patch16_224": {"img_size": 64, "depth": 2, "embed_dim": 48, "num_heads": 3},
    "botnet26t_256": {"img_size": 64},
    "lambda_resnet26t": {},
    "gernet_s": {},
    "mobileone_s0": {},
    "repvgg_a0": {},
    "gcresnext26ts": {},
    "cait_xxs24_224": {"img_size": 64, "depth": 2},
    "coat_tiny": {"img_size": 64},
    "coat_lite_tiny": {"img_size": 64},
    "convit_tiny": {"img_size": 64, "depth": 4, "local_up_to_layer": 3},
    "convmixer_1024_20_ks9_p14": {"side": 56},
    "convnext_atto": {},
    "convnextv2_atto": {},
    "cpubone_nano": {},
    "crossvit_9_240": {"img_size": 240},
    "csatv2": {"side": 128},
    "cs3darknet_focus_s": {},
    "darknet53": {},
    "cspnext_tiny": {},
    "davit_tiny": {},
    "deepseek_vit_412m": {"img_size": 56, "depth": 2},
    "deit_tiny_distilled_patch16_224": {"img_size": 64, "depth": 3},
    "deit3_small_patch16_224": {"img_size": 64, "depth": 3},
    "densenet121": {},
    "dla46x_c": {},
    "dpn48b": {},
    "edgenext_xx_small": {},
    "efficientformer_l1": {"side": 224},
    "efficientformerv2_s0": {"img_size": 96},
    "efficientnet_b0": {},
    "tf_efficientnetv2_b0": {},
    "mixnet_s": {},
    "mobilenetv2_035": {},
    "efficientvim_m1": {"side": 128},
    "efficientvit_b0": {},
    "efficientvit_m0": {"img_size": 192},
    "eva02_tiny_patch14_224": {"img_size": 56, "depth": 3},
    "fasternet_t0": {},
    "fastvit_t8": {},
    "focalnet_tiny_srf": {},
    "gcvit_xxtiny": {"img_size": 96},
    "gemma4_vit_167m": {"depth": 2},
    "ghostnet_050": {},
    "ghostnetv3_050": {},
    "hardcorenas_a": {},
    "hgnetv2_b0": {},
    "hiera_tiny_224": {"img_size": 64},
    "hieradet_small": {},
    "hrnet_w18_small": {},
    "iformer_t": {},
    "inception_next_atto": {},
    "inception_resnet_v2": {"side": 128},
    "inception_v3": {"side": 128},
    "inception_v4": {"side": 128},
    "lcnetv2_small": {},
    "levit_128s": {"img_size": 96},
    "levit_conv_128s": {"img_size": 96},
    "lowformer_b0": {},
    "mambaout_femto": {},
    "coatnet_nano_rw_224": {"img_size": 64},
    "maxvit_rmlp_pico_rw_256": {"img_size": 64},
    "poolformer_s12": {},
    "caformer_s18": {},
    "mixer_s32_224": {"img_size": 96},
    "gmlp_ti16_224": {"img_size": 64},
    "mobilenetv3_small_050": {},
    "mobilenetv4_hybrid_medium": {},
    "mobilevit_xxs": {},
    "mobilevitv2_050": {},
    "mvitv2_tiny": {"img_size": 64},
    "naflexvit_base_patch16_gap": {"depth": 2, "embed_dim": 48, "num_heads": 3},
    "nasnetalarge": {},
    "nest_tiny": {"img_size": 64},
    "nextvit_small": {},
    "dm_nfnet_f0": {},
    "nf_regnet_b0": {},
    "pit_ti_distilled_224": {"img_size": 64},
    "pnasnet5large": {},
    "pvt_v2_b0": {},
    "qwen3_vit_88m": {"depth": 2},
    "rdnet_tiny": {},
    "regnetx_002": {},
    "regnety_002": {},
    "repghostnet_050": {},
    "repvit_m0_9": {},
    "res2net50_14w_8s": {},
    "resnest14d": {},
    "resnet18": {},
    "ecaresnet26t": {},
    "resnetv2_50x1_bit": {},
    "rexnet_100": {},
    "selecsls42": {},
    "legacy_seresnet18": {},
    "sequencer2d_s": {"img_size": 64},
    "shvit_s1": {"side": 128},
    "skresnet18": {},
    "starnet_s050": {},
    "swiftformer_xs": {},
    "swin_tiny_patch4_window7_224": {"img_size": 64, "window_size": 4},
    "swinv2_tiny_window8_256": {"img_size": 64, "window_size": 4},
    "swinv2_cr_tiny_224": {"img_size": 64},
    "tiny_vit_5m_224": {},
    "tnt_s_patch16_224": {"img_size": 64},
    "tresnet_m": {},
    "twins_pcpvt_small": {"img_size": 64},
    "twins_svt_small": {"img_size": 64},
    "vgg11": {},
    "visformer_tiny": {"img_size": 64},
    "vit_tiny_patch16_224": {"img_size": 64, "depth": 3},
    "vit_tiny_r_s16_p8_224": {"img_size": 64},
    "vit_relpos_small_patch16_224": {"img_size": 64, "depth": 3},
    "samvit_base_patch16_224": {"img_size": 64, "depth": 3},
    "vitamin_small_224": {"img_size": 64},
    "volo_d1_224": {"img_size": 64},
    "ese_vovnet19b_slim_dw": {},
    "legacy_xception": {},
    "xception41": {},
    "xcit_nano_12_p16_224": {"img_size": 64},
}
IMAGE = picture()
LINEAR = "has no layer whose weights make pictures"  # pixels become tokens by a linear layer
REFUSED = {("gemma4_vit_167m", "filters"): LINEAR, ("naflexvit_base_patch16_gap", "filters"): LINEAR}


@functools.lru_cache(1)
def model_of(name):
    """A network as somebody else's training left it, and its twin in eval mode, which torch alone is asked about."""
    options = dict(NETWORKS[name])
    side = options.pop("side", options.get("img_size", SIDE))
    overlay = {"input_size": (3, side, side), "crop_pct": 1.0}
    torch.manual_seed(0)
    net = timm.create_model(name, False, num_classes=len(CLASSES), pretrained_cfg_overlay=overlay, **options)
    _settle(net, nn.functional.interpolate(torch.randn(8, 3, 6, 6), (side, side), mode="bicubic"))
    next(net.parameters()).requires_grad_(False)
    net.train()
    twin = copy.deepcopy(net).eval()
    model = explain.wrap(net, CLASSES)
    assert model.preprocess.size == (side, side)
    return model, net, twin


def _settle(net, batch):
    """What begins as a constant (gains of 1, branches and heads of 0) differs, and batch norms know their averages."""
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.min() == parameter.max():
                parameter.add_(0.1 * torch.randn_like(parameter))
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # an average of all passes
                module.reset_running_stats()
        net.train()(batch)


def _state(net):
    """What everything has to leave as it is."""
    hooks = [len(table) for module in net.modules() for key, table in vars(module).items() if key.endswith("_hooks")]
    sums = [float(value.double().sum()) for value in net.state_dict().values()]
    wants = [(parameter.requires_grad, parameter.grad is None) for parameter in net.parameters()]
    return hooks, sums, wants, [module.training for module in net.modules()]


def close(found, wanted, tolerance=1e-3):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert 0 < np.abs(wanted).max() < np.inf
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


def scores(twin, x):
    with torch.no_grad():
        return twin(x.clone())


def held(twin, layer, x):
    """Scores, and a layer's output as the twin gives it and as maps (N, C, h, w), with a hook of torch's own."""
    kept, (name, _, call) = [], layer.name.partition(":")

    def hook(_module, _given, output):
        kept.append(output)
        return output.clone()  # which others may write into

    handle = twin.get_submodule(name).register_forward_hook(hook)
    try:
        found = twin(x)
    finally:
        handle.remove()
    output = kept[int(call or 0)]
    count, height, width = layer.shape
    if output.shape[1:] == layer.shape:
        return found, output, lambda one: one
    if output.dim() == 4:
        return found, output, lambda one: one.movedim(3, 1)
    return found, output, lambda one: one[:, -height * width :].mT.reshape(len(x), count, height, width)


def predict(model, _net, twin):
    found = dict(model.predict(IMAGE, len(CLASSES))[0])
    wanted = scores(twin, model.batch(IMAGE)).softmax(1)[0]
    np.testing.assert_allclose([found[name] for name in CLASSES], wanted, rtol=1e-3)


def layers(model, _net, twin):
    """Their parameters are those of the modules that are called and give a tensor; only the net's own are missing."""
    names = [layer.name for layer in model.layers]
    assert names
    assert len(set(names)) == len(names)
    called = set()

    def hook(module, _given, output):
        if isinstance(output, torch.Tensor):
            called.add(module)

    handles = [module.register_forward_hook(hook) for module in twin.modules() if module is not twin]
    try:
        scores(twin, model.batch(IMAGE))
    finally:
        for handle in handles:
            handle.remove()
    wanted = sum(one.numel() for module in called for one in module.parameters(recurse=False))
    assert 0 < sum(layer.parameters for layer in model.layers) == wanted


def gradient(model, _net, twin):
    pixels = model.batch(IMAGE).requires_grad_()
    wanted = torch.autograd.grad(twin(pixels)[0, TARGET], pixels)[0][0].abs().amax(0)
    close(explain.saliency(model, IMAGE, "gradient", TARGET).heat, wanted)


def grad_cam(model, _net, twin):
    found = explain.saliency(model, IMAGE, "grad_cam", TARGET, positive=False)
    layer = model.last_maps
    assert found.facts["layer"] == layer.name
    assert layer.shape[1] == layer.shape[2] > 1  # as the picture is square
    values, output, as_maps = held(twin, layer, model.batch(IMAGE))
    slopes = as_maps(torch.autograd.grad(values[0, TARGET], output)[0])
    close(found.raw_map, (slopes.mean((2, 3), keepdim=True) * as_maps(output)).sum(1)[0].detach())


def activations(model, _net, twin):
    layer = model.last_maps
    with torch.no_grad():
        _, output, as_maps = held(twin, layer, model.batch(IMAGE))
    close(explain.activations(model, IMAGE, layer.name).maps, as_maps(output)[0])


def filters(model, _net, twin):
    found = explain.filters(model)
    weight = twin.get_submodule(found.layer).weight.detach().numpy()
    close(found.tiles, weight.transpose(0, 2, 3, 1) if found.is_colour else weight, 1e-6)


def unit(model, _net, twin):
    layer = model.last_maps
    pixels = model.batch(IMAGE).requires_grad_()
    _, output, as_maps = held(twin, layer, pixels)
    maps = as_maps(output)[0]
    alive = (maps.flatten(1).std(1) > 0).nonzero()[:, 0]
    channel = int(alive[maps[alive].amax((1, 2)).median(0).indices])  # neither dead nor at a rectifier's upper bound
    found = explain.unit(model, IMAGE, layer.name, channel, method="gradient")
    assert is_peak(maps[channel], found.position)
    close(found.projection, torch.autograd.grad(maps[channel][found.position], pixels)[0][0])


def occlusion(model, _net, twin):
    x = model.batch(IMAGE)
    half = x.shape[2] // 2
    windows = {"window": half, "stride": half, "baseline": "black"}  # four
    heat = explain.saliency(model, IMAGE, "occlusion", TARGET, **windows).heat
    covered = x.clone()
    covered[:, :, :half, :half] = model.input_range[0]
    whole, less = (scores(twin, one)[0, TARGET] for one in (x, covered))
    assert float(heat[0, 0]) == pytest.approx(float(whole - less), rel=1e-2, abs=1e-3 * float(whole.abs()))
    assert np.ptp(heat[:half, :half]) == 0 < np.ptp(heat)


def integrated_gradients(model, _net, _twin):
    heat = explain.saliency(model, IMAGE, "integrated_gradients", TARGET, steps=4).heat
    assert np.isfinite(heat).all()
    assert np.ptp(heat) > 0


def _classifiers(twin):
    found = twin.get_classifier()
    return list(found) if isinstance(found, (tuple, nn.ModuleList)) else [found]


def index(model, _net, twin):
    layer = model.last_maps
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.png" for number in range(4)]
        for number, file in enumerate(files):
            picture(number).save(file)
        found = explain.build_index(model, files, [layer.name], k=2, out=Path(folder) / "index")
        x = model.batch([picture(number) for number in range(4)])
        head, taken = twin.get_submodule(found.manifest.head), []
        assert head in nn.ModuleList(_classifiers(twin)).modules()
        head.register_forward_pre_hook(lambda _module, given: taken.append(given[0]))
        with torch.no_grad():
            values, output, as_maps = held(twin, layer, x)
        maps = as_maps(output)
        for channel in (0, layer.channels - 1):
            best = found.top(layer.name, channel)[0]
            near = 1e-3 * float(maps.abs().max())
            assert best.score == pytest.approx(float(maps[:, channel].max()), abs=near)
            assert maps[(best.image, channel, *best.position)] >= maps[:, channel].max() - near
        features = taken[-1].flatten(2).mean(2) if taken[-1].dim() == 4 else taken[-1]  # of what a convolution ends
        close(found.features, features)
        chances = values.softmax(1)
        close(found.probabilities, chances.sort(1, descending=True).values)
        close(chances.gather(1, torch.from_numpy(found.predictions).long()), found.probabilities)
        far = torch.cdist(features[:1], features)[0, 1:]
        near = explain.neighbours(found, 0, k=3)
        close(near.features.distances, far.sort().values, 1e-2)
        close(far[near.features.images - 1], near.features.distances, 1e-2)


CHECKS = {
    check.__name__: check
    for check in (
        predict, layers, gradient, grad_cam, activations, filters, unit, occlusion, integrated_gradients, index,
    )
}  # fmt: skip


def asked(name, check):
    """Why there is nothing, empty where all is right; the network is as it was found in either case."""
    model, net, twin = model_of(name)
    before = _state(net)
    try:
        CHECKS[check](model, net, twin)
    except ExplainError as error:
        return str(error)
    finally:
        assert _state(net) == before
    return ""


@pytest.mark.parametrize("check", CHECKS)  # the faster of the two to change: one network is held at a time
@pytest.mark.parametrize("name", NETWORKS)
def test_right_or_a_refusal(name, check):
    found = asked(name, check)
    assert "\n" not in found
    wanted = REFUSED.get((name, check))
    assert found == "" if wanted is None else wanted in found


def test_families():
    """All of timm's files that hold classifiers of pictures, but for one whose smallest has 300 million parameters."""
    families = {timm.models.model_entrypoint(name).__module__.rpartition(".")[2] for name in NETWORKS}
    assert set(timm.list_modules()) - families == {"mobilenetv5"}


if __name__ == "__main__":
    print("| network |", " | ".join(CHECKS), "|")
    print("|---" * (len(CHECKS) + 1) + "|")
    refusals = []
    for name in NETWORKS:
        found = {check: asked(name, check) for check in CHECKS}
        print(f"| {name} |", " | ".join("no" if found[check] else "right" for check in CHECKS), "|")
        refusals += [f"{name}, {check}: {text}" for check, text in found.items() if text]
    print(*refusals, sep="\n")

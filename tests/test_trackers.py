"""Networks that users brought to captum, pytorch-grad-cam, torch-cam and timm, rewritten; tests name the threads."""

import copy

import numpy as np
import pytest
import timm
import torch
from own_networks import CLASSES, PREPROCESS, SIZE, picture, plain
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune, spectral_norm, weight_norm

import explain
from explain.errors import BadValue, ExplainError, NotSupported, Unknown

IMAGE = picture()


class Two(nn.Module):
    """Two convolutions and a linear layer, called by `way(self, x)`."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)
        self.way = way

    def forward(self, x):
        return self.way(self, x)

    def rest(self, x):
        return self.fc(self.b(self.a(x).relu()).relu().mean((2, 3)))


def wrapped(net, **more):
    return explain.wrap(net.eval(), CLASSES, PREPROCESS, **more)


def plainly(net, x):
    with torch.no_grad():
        return net(x.clone())


def grad_cam(net, module, x, target=1):
    """Grad-CAM at a module, with a hook of torch's own."""
    kept = []
    handle = module.register_forward_hook(lambda _m, _g, out: kept.append(out))
    try:
        slopes = torch.autograd.grad(net(x.clone().requires_grad_() * 1)[0, target], kept[-1])[0]
    finally:
        handle.remove()
    return (slopes.mean((2, 3), keepdim=True) * kept[-1]).sum(1).relu()[0].detach().numpy()


def close(found, wanted, tolerance=1e-3):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


# ------------------------------------------------------------ where class activation maps look


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.down, self.up, self.fc = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1), nn.Linear(8, 4)

    def forward(self, x):
        x = self.b(self.a(x).relu()).relu()
        x = x * self.up(self.down(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return self.fc(x.mean((2, 3)))


def test_the_layer_by_default_has_places():
    """torch-cam#68: the last convolution may work on averaged maps; a map of one place says nothing."""
    net = SqueezeExcite()
    found = explain.saliency(wrapped(net), IMAGE, "grad_cam", 1)
    assert found.facts["layer"] == "b"
    close(found.raw_map, grad_cam(net, net.b, PREPROCESS.tensor(IMAGE)[None]))


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "ghostnet_050", "legacy_seresnet18", "hardcorenas_a"])
def test_the_layer_by_default_has_places_in_timms(name):
    model = explain.load_model(f"timm:{name}?weights=random")
    assert min(model.last_maps.shape[1:]) > 1


def test_a_layer_by_another_of_its_names_or_as_the_module():
    """pytorch-grad-cam#296, #205, #134, #375: one layer, a name of its own in the wrapper."""
    net = Two(Two.rest)
    net.target_layer = net.b
    model = wrapped(net)
    wanted = explain.saliency(model, IMAGE, "grad_cam", 1, "b").raw_map
    for layer in ("target_layer", net.b):
        assert np.array_equal(explain.saliency(model, IMAGE, "grad_cam", 1, layer).raw_map, wanted)
    with pytest.raises(Unknown, match="target_laye"):
        model.layer("target_laye")


def test_a_layer_of_another_net_is_none():
    with pytest.raises(Unknown, match="Unknown layer"):
        wrapped(plain()).layer(nn.Conv2d(3, 8, 3))


def test_a_module_under_two_names_is_saved(tmp_path):
    """pytorch-grad-cam#296: safetensors takes no tensor twice."""
    net = Two(Two.rest)
    net.target_layer = net.b
    model = wrapped(net)
    folder = explain.save_model(model, tmp_path / "kept")
    again = explain.load_model(folder, architecture=copy.deepcopy(net))
    close(again.scores(IMAGE), model.scores(IMAGE), 1e-6)


def test_a_block_that_gives_a_tuple_is_refused_by_name():
    """captum#745, #1220; pytorch-grad-cam#462."""

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3)

        def forward(self, x):
            return self.conv(x), None

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.fc = nn.Conv2d(3, 8, 3), Pair(), nn.Linear(8, 4)

        def forward(self, x):
            return self.fc(self.two(self.one(x).relu())[0].mean((2, 3)))

    model = wrapped(Net())
    assert model.last_maps.name == "two.conv"
    with pytest.raises(NotSupported, match="'two' is not called for a picture, or gives no tensor"):
        explain.saliency(model, IMAGE, "grad_cam", 1, "two")


# ------------------------------------------------------------ rows that are no pictures


class Tiles(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tile, self.last, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

    def forward(self, x):
        n, c, h, w = x.shape
        tiles = x.reshape(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5).reshape(4 * n, c, h // 2, w // 2)
        joined = self.tile(tiles).relu().unflatten(0, (n, 4)).mean(1)
        return self.fc(self.last(joined).relu().mean((2, 3)))


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "eigen_cam", "score_cam", "ablation_cam"])
def test_maps_of_tiles_are_not_the_pictures(method):
    """pytorch-grad-cam#520, #159: four rows a picture; the first would be shown as the whole."""
    net = Tiles()
    model = wrapped(net)
    with pytest.raises(NotSupported, match="'tile' gives 4 rows for a picture"):
        explain.saliency(model, IMAGE, method, 1, "tile")
    for ask in (lambda: explain.activations(model, IMAGE, "tile"), lambda: explain.unit(model, IMAGE, "tile", 1)):
        with pytest.raises(NotSupported, match="4 rows"):
            ask()
    found = explain.saliency(model, IMAGE, "grad_cam", 1)
    close(found.raw_map, grad_cam(net, net.last, model.batch(IMAGE)))


def test_filters_of_tiles_are_shown():
    """A filter knows no place."""
    net = Tiles()
    found = explain.filters(wrapped(net))
    assert (found.layer, found.looks_at_pixels) == ("tile", True)
    close(found.tiles.transpose(0, 3, 1, 2), net.tile.weight.detach())


# ------------------------------------------------------------ inputs and outputs


def sub_in_place(net, x):
    return net.rest(x.sub_(0.1).mul_(2))


def one_channel(net, x):
    x[:, 1:] -= 0.3
    return net.rest(x)


def through_data(net, x):
    x.data.mul_(2)
    return net.rest(x)


@pytest.mark.parametrize("way", [sub_in_place, one_channel, through_data])
def test_a_net_that_writes_into_its_picture(way):
    """captum PR#8, torch-cam#72: each pass would begin at what the last has left."""
    net = Two(way)
    model = wrapped(net)
    assert model.behaviour.overwrites
    x = model.batch(IMAGE)
    before = x.clone()
    for _ in range(2):
        close(model.ask(x), plainly(net, before), 1e-5)
        assert torch.equal(x, before)
    found = explain.saliency(model, IMAGE, "integrated_gradients", 1, steps=64)
    black = model.input_range[0].expand_as(before)
    rise = float((plainly(net, before) - plainly(net, black))[0, 1])
    if way is not through_data:  # whose gradient is torch's own
        assert float(found.raw_map.sum()) == pytest.approx(rise, rel=0.03, abs=1e-3)
    close(explain.saliency(model, IMAGE, "grad_cam", 1).raw_map, grad_cam(net, net.b, before))
    assert np.isfinite(explain.saliency(model, IMAGE, "gradient", 1).heat).all()
    found = explain.saliency(model, IMAGE, "occlusion", 1, window=16, stride=16, baseline="black")
    covered = before.clone()
    covered[:, :, :16, :16] = model.input_range[0]
    wanted = float((plainly(net, before) - plainly(net, covered))[0, 1])
    assert float(found.heat[0, 0]) == pytest.approx(wanted, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("size", [(96, 64), (32, 32), (64, 64)])
def test_a_fully_convolutional_net(size):
    """timm#1898, pytorch-grad-cam#169: on small pictures its map has one place, on these more."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Conv2d(3 if k == 0 else 4, 4, 3, 2, 1) for k in range(5))).eval()
    model = explain.wrap(net, CLASSES, explain.Preprocess(size))
    places = size[0] * size[1] // 1024
    assert model.head.kind == ("segmentation" if places > 1 else "softmax")
    x = model.batch(IMAGE)
    close(model.scores(IMAGE), plainly(net, x).sum((2, 3)), 1e-4)


def test_features_are_no_scores():
    """timm#1045: num_classes=0; a softmax over features would be plausible and wrong."""
    model = explain.wrap(timm.create_model("test_resnet", num_classes=0).eval())
    assert model.head.kind == "regression"
    assert "taken away" in model.caveats[0]
    asked = explain.wrap(timm.create_model("test_resnet", num_classes=0).eval(), output="softmax")
    assert asked.head.kind == "softmax"


def test_two_outputs_as_long_as_the_batch():
    """pytorch-grad-cam#460: CLIP gives (N, words) and (words, N); the pass over one picture tells them apart."""
    net = Two(lambda net, x: (net.rest(x)[:, :2], net.rest(x)[:, :2].T))
    model = explain.wrap(net.eval(), ["a", "b"], PREPROCESS)
    assert model.head.path == (0,)


def test_one_output_and_the_other_side():
    """captum#352, #475: target=1 of one logit."""
    model = explain.wrap(plain(1), None, PREPROCESS)
    with pytest.raises(Unknown, match="give it two names"):
        explain.saliency(model, IMAGE, "gradient", 1)
    both = explain.wrap(plain(1), ["no", "yes"], PREPROCESS)
    assert explain.saliency(both, IMAGE, "gradient", 1).facts["target"] == "yes"


@pytest.mark.parametrize("target", [np.array([2]), np.int64(2), torch.tensor([2]), torch.tensor(2), 2.0, "2", "c", 2])
def test_a_target_in_any_of_its_forms(target):
    """captum#887, #816; pytorch-grad-cam#502."""
    assert explain.saliency(wrapped(plain()), IMAGE, "gradient", target).facts["target"] == "c"


@pytest.mark.parametrize("target", [True, -1, 4, 2.5, [2], np.eye(4)[2], torch.eye(4)[2], float("nan"), {"c"}, b"c"])
def test_what_is_no_target_is_refused_with_those_that_are(target):
    with pytest.raises(Unknown, match="a number from 0 to 3"):
        explain.saliency(wrapped(plain()), IMAGE, "gradient", target)


@pytest.mark.parametrize("channels", [1, 5])
def test_timms_nets_for_other_channels_without_preprocessing(channels):
    """timm#976, #2410: their configuration still says three."""
    model = explain.wrap(timm.create_model("test_resnet", in_chans=channels).eval())
    assert model.preprocess.channels == channels
    assert f"{channels} channels" in model.about["preprocess_from"]


def test_timms_nets_for_another_size_without_preprocessing():
    """timm#1774: a vision transformer takes the size that it was built with, whatever its configuration says."""
    model = explain.wrap(timm.create_model("vit_tiny_patch16_224", img_size=96, depth=2).eval())
    assert model.preprocess.size == (96, 96)
    assert "built with" in model.about["preprocess_from"]
    named = explain.load_model("timm:vit_tiny_patch16_224", arguments={"weights": "random", "img_size": 96})
    assert named.preprocess.size == (96, 96)


def test_what_it_takes_is_asked_for_where_it_cannot_be_found():
    """pytorch-grad-cam#406, #277: colour and depth, or two pictures, as channels of one."""
    net = Two(lambda net, x: net.rest(x[:, :3] + x[:, 3:]))
    with pytest.raises(NotSupported, match=r"Preprocess\(size, channels=...\)"):
        explain.wrap(net.eval())
    model = explain.wrap(net, CLASSES, explain.Preprocess(SIZE, channels=6))
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 6), np.uint8)
    close(model.scores(picture), plainly(net, model.batch(picture)), 1e-5)


def test_what_is_called_is_no_module():
    """pytorch-grad-cam#460: a pipeline, a bound method, a lambda."""
    with pytest.raises(BadValue, match="give a module whose forward calls it"):
        explain.wrap(lambda x: x)


# ------------------------------------------------------------ weights and code that are elsewhere


class Listed(nn.Module):
    """Its convolution stands in a plain list, and so in no state dict."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = [nn.Conv2d(3, 8, 3)]
        torch.manual_seed(0)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(self.layers[0](x).relu().mean((2, 3)))


def test_weights_in_a_plain_list_are_part_of_the_digest():
    """captum#875: two such nets shared an index."""
    first, again, other = (wrapped(Listed(seed)) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest


def replaced(net):
    before = net.forward
    net.forward = lambda x: before(x * 2)
    return net.eval()


def test_a_forward_that_was_replaced_by_a_function(tmp_path):
    """pytorch-grad-cam#478: a copy would go on with its original's weights, and randomising them change nothing."""
    net = replaced(plain())
    model = wrapped(net)
    close(model.scores(IMAGE), plainly(net, model.batch(IMAGE)), 1e-5)
    heat = explain.saliency(model, IMAGE, "integrated_gradients", 1, steps=64).raw_map
    assert np.isfinite(heat).all()
    for ask in (
        lambda: explain.faithfulness(model, IMAGE, "gradient"),
        lambda: explain.build_index(model, [save(tmp_path)], out=tmp_path / "index"),
        lambda: explain.wrap(replaced(plain()).half(), CLASSES, PREPROCESS),
    ):
        with pytest.raises(NotSupported, match="was replaced by a function"):
            ask()


def save(folder):
    IMAGE.save(folder / "one.png")
    return folder / "one.png"


def test_within_inference_mode(tmp_path):
    """torch-cam#217, #195; pytorch-grad-cam#187: everything inside somebody's inference_mode."""
    net = plain()
    wanted = explain.saliency(wrapped(net), IMAGE, "grad_cam", 1).raw_map
    with torch.inference_mode():
        model = wrapped(net)
        assert np.array_equal(explain.saliency(model, IMAGE, "grad_cam", 1).raw_map, wanted)
        assert len(explain.build_index(model, [save(tmp_path)], out=tmp_path / "index").layers)
        made = plain()
    with pytest.raises(NotSupported, match="inference_mode"):
        wrapped(made)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("compiled", ["script", "trace"])
def test_a_part_that_is_compiled(compiled):
    """pytorch-grad-cam#258: its layers take no hooks; the rest goes on."""
    body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval()
    part = torch.jit.script(body) if compiled == "script" else torch.jit.trace(body, torch.zeros(1, 3, *SIZE))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body, self.conv, self.fc = part, nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

        def forward(self, x):
            return self.fc(self.conv(self.body(x)).relu().mean((2, 3)))

    net = Net()
    model = wrapped(net)
    assert [layer.name for layer in model.layers] == ["conv", "fc"]
    x = model.batch(IMAGE)
    close(explain.saliency(model, IMAGE, "grad_cam", 1).raw_map, grad_cam(net, net.conv, x))
    pixels = x.clone().requires_grad_()
    wanted = torch.autograd.grad(net(pixels)[0, 1], pixels)[0][0].abs().amax(0)
    close(explain.saliency(model, IMAGE, "gradient", 1).heat, wanted)


def old_weight_norm(module):
    return weight_norm(module)


def old_spectral_norm(module):
    return spectral_norm(module)


def new_weight_norm(module):
    return nn.utils.parametrizations.weight_norm(module)


def pruned(module):
    return prune.l1_unstructured(module, "weight", 0.3)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", [old_weight_norm, old_spectral_norm, new_weight_norm, pruned])
def test_weights_that_are_computed(how):
    """pytorch#102981, #28594; pytorch-grad-cam#403: what is no parameter is shown, and weighs, as it is."""
    net = plain()
    how(net[0])
    how(net[6])
    model = wrapped(net)
    x = model.batch(IMAGE)
    found = explain.filters(model, layer="0")
    with torch.no_grad():
        net(x)
        close(found.tiles.transpose(0, 3, 1, 2), net[0].weight)
        maps = net[:4](x)[0]
        wanted = torch.einsum("c,chw->hw", net[6].weight[1], maps)
    close(explain.saliency(model, IMAGE, "cam", 1).raw_map, wanted)


class Cast(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.net = plain().to(dtype)
        self.dtype = dtype

    def forward(self, x):
        return self.net(x.to(self.dtype)).float()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_that_is_cast_within(dtype):
    """pytorch-grad-cam#321: in float32 such a net takes nothing, so it computes as it is."""
    net = Cast(dtype).eval()
    model = wrapped(net)
    assert torch.equal(model.scores(IMAGE), plainly(net, model.batch(IMAGE)))
    assert np.isfinite(explain.saliency(model, IMAGE, "grad_cam", 1).heat).all()


@pytest.mark.parametrize("within", ["_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module."])
def test_names_of_wrappers_within_names(within, tmp_path):
    """timm#2003, #1566."""
    net = nn.Sequential(plain())
    state = {key.replace("0.", f"0.{within}", 1): value for key, value in net.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    torch.manual_seed(9)
    model = explain.load_model(tmp_path / "w.pth", architecture=nn.Sequential(plain()), preprocess=PREPROCESS)
    close(model.scores(IMAGE), plainly(net, model.batch(IMAGE)), 1e-5)
    assert any(within in note for note in model.about["notes"])


def test_a_way_that_the_empty_picture_does_not_take():
    """captum#875: which layers are called depends on the picture."""

    def way(net, x):
        return torch.cat(
            [net.rest(one[None]) if one.std() > 0.3 else net.fc(net.a(one[None]).mean((2, 3))) for one in x]
        )

    net = Two(way)
    model = wrapped(net)
    x = model.batch(IMAGE)
    assert float(x.std()) > 0.3
    close(model.scores(IMAGE), plainly(net, x), 1e-5)
    with pytest.raises(NotSupported, match="'b' is not called for a picture"):
        explain.saliency(model, IMAGE, "grad_cam", 1, "b")


def test_one_map_and_two_names():
    """pytorch-grad-cam#476: binary segmentation."""
    net = nn.Sequential(nn.Conv2d(3, 1, 3, padding=1)).eval()
    assert explain.wrap(net, ["lesion"], PREPROCESS).head.kind == "segmentation"
    with pytest.raises(ExplainError, match="give one name"):
        explain.wrap(net, ["background", "lesion"], PREPROCESS)
    with pytest.raises(ExplainError, match=r"one map is \(N, 1, H, W\)"):
        explain.wrap(Two(lambda _net, x: F.relu(x[:, 0])).eval(), ["lesion"], PREPROCESS)


def test_a_gradient_that_is_not_finite_names_a_method_without():
    """pytorch-grad-cam#34: a square root at 0 has an infinite slope."""
    net = Two(lambda net, x: net.rest(x) + (x - x).abs().sqrt().mean((1, 2, 3))[:, None])
    model = wrapped(net)
    with pytest.raises(NotSupported, match=r"not finite.*occlusion"):
        explain.saliency(model, IMAGE, "gradient", 1)
    assert np.isfinite(explain.saliency(model, IMAGE, "occlusion", 1, window=16, stride=16).heat).all()

"""Networks are judged before they are built: their size by laying them out, their work by a pass without values."""

import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

import explain
from explain import memory
from explain.errors import BadFile, BadValue, NotSupported
from explain.network import fitting, hub, size, sources
from explain.network.size import TooLarge, laid_out, weights_of
from explain.workspace import kept_models

RESNET = "torchvision:resnet18?weights=random"


@pytest.fixture
def small(monkeypatch):
    """A machine with 1 GiB of free memory, where nothing may be built."""
    monkeypatch.setattr(memory, "free", lambda: 1 << 30)
    monkeypatch.setattr(sources, "seeded", lambda _make: pytest.fail("it was built"))


# ------------------------------------------------------------ laying out


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("resnet18", lambda: models.resnet18()),
        ("regnet", lambda: models.regnet_y_400mf()),  # which counts with values
        ("mlp", lambda: explain.nets.NETS["mlp"]()),
        ("local", lambda: explain.nets.layers.LocallyConnected2d(3, 4, (9, 8), 3)),
    ],
)
def test_what_is_laid_out_is_as_large_as_what_is_built(name, make):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    blank = laid_out(make)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(one.is_meta for one in blank.parameters())
    built = make()
    assert {key: one.shape for key, one in blank.state_dict().items()} == {
        key: one.shape for key, one in built.state_dict().items()
    }
    assert weights_of(blank) == weights_of(built)


@pytest.mark.parametrize(
    "name", ["beit_base_patch16_224", "levit_128s", "swin_tiny_patch4_window7_224", "tf_efficientnet_b0"]
)
def test_timms_are_laid_out_with_their_buffers(name):
    import timm

    make = lambda: timm.create_model(name)  # noqa: E731
    assert weights_of(laid_out(make)) == weights_of(make())


def test_building_is_bounded_in_steps():
    def endless():
        while True:
            nn.Linear(3, 3)

    with pytest.raises(TooLarge, match=r"'a:b'.*100,000 steps"):
        laid_out(endless, "a:b")


# ------------------------------------------------------------ a pass


def test_a_pass_counts_what_a_real_one_computes():
    net = models.resnet18().eval()
    counted = size._passed(laid_out(models.resnet18), (3, 224, 224))
    with FlopCounterMode(display=False) as real, torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    assert counted.macs == real.get_total_flops() // 2


def test_a_pass_counts_the_bytes_of_results():
    made = lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 7))  # noqa: E731
    assert size._passed(laid_out(made), (1, 8, 8)).kept == 4 * (64 + 4 * 36 + 7)


class Attention(nn.Module):
    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)[:, None]
        return F.scaled_dot_product_attention(x, x, x).mean((1, 2))


def test_attention_by_torch_takes_no_memory_for_its_scores_and_its_work_grows_with_the_square():
    one, two = (size._passed(Attention(), (8, side, side)) for side in (16, 32))
    assert two.kept < 5 * one.kept
    assert two.macs == 16 * one.macs


@pytest.mark.parametrize(
    "name", ["resnet18", "vit_b_16", "mobilenet_v2", "densenet121", "swin_t", "vgg11", "regnet_x_400mf"]
)
def test_the_cheap_estimate_is_no_less_than_a_pass(name):
    net = laid_out(lambda: models.get_model(name))
    estimated, passed = size._estimated(net, (3, 224, 224)), size._passed(net, (3, 224, 224))
    assert estimated.kept >= passed.kept
    assert estimated.macs >= passed.macs


# ------------------------------------------------------------ every source


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("timm:eva02_enormous_patch14_clip_224?weights=random", "16.2 GiB for its weights; .*50% of the 1.0 GiB"),
        ("timm:eva_giant_patch14_224", r"7\.\d GiB for its weights, 2 times over"),
        ("torchvision:regnet_y_128gf?weights=random", r"2\.\d GiB for its weights"),
        ("torchvision:regnet_y_128gf", "2 times over"),
        ("timm:vit_tiny_patch16_224?weights=random&img_size=4096", "for a picture of 4096 x 4096"),
        ("timm:beit_base_patch16_224?weights=random&img_size=4096", "GiB for its weights"),
        ("resnet_cifar?depth=1202&width=64", "GiB"),
        ("mlp?channels=64&size=1024&fc1=10000", "2.4 TiB for its weights"),
    ],
)
def test_what_a_name_would_take_is_said_before_it_is_built(small, name, part):
    with pytest.raises(TooLarge, match=part) as told:
        explain.load_model(name)
    assert name in str(told.value)


def test_the_largest_depth_is_the_papers():
    with pytest.raises(BadValue, match="8 to 1202"):
        explain.load_model("resnet_cifar?depth=3002")


def test_a_pass_that_takes_too_long_is_refused(small, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 1 << 50)
    with pytest.raises(TooLarge, match=r"T multiply-accumulates for a picture of 4096 x 4096"):
        explain.load_model("timm:vit_tiny_patch16_224?weights=random&img_size=4096")
    with pytest.raises(TooLarge, match="modules"):
        monkeypatch.setattr(size, "MOST_MODULES", 100)
        explain.load_model("resnet_cifar?depth=110")


def test_options_that_a_library_does_not_take_are_one_sentence():
    with pytest.raises(BadValue, match="img_size"):
        explain.load_model("timm:resnet18?weights=random&img_size=96")


def test_random_vits_take_the_pictures_of_the_published():
    """vit_h_14 is published for pictures of 518 x 518, and refused them with random weights."""
    blank = sources.SOURCES["torchvision"].function("vit_h_14", None, laid_out, weights="random")
    assert blank.preprocess.size == (518, 518)
    assert size._passed(blank.net, (3, 518, 518)).macs == pytest.approx(1.016e12, rel=0.01)


def test_a_preprocessing_that_is_given_is_judged(small):
    with pytest.raises(TooLarge, match="for a picture of 4000 x 4000"):
        explain.load_model(RESNET, preprocess={"size": 4000})


def saved(folder, name="mlp", **options):
    explain.save_model(explain.load_model(name), folder)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"options": card["options"] | options}))
    return folder


def test_a_folder_that_asks_for_terabytes(tmp_path):
    with pytest.raises(TooLarge, match=r"TiB for its weights, 2 times over as they are loaded"):
        explain.load_model(saved(tmp_path, channels=64, size=1024, fc1=10_000))
    with pytest.raises(BadValue, match="3002"):
        explain.load_model(saved(tmp_path / "deep", "resnet_cifar", depth=3002))


def test_a_folder_with_all_its_options_is_loaded_as_before(tmp_path):
    model = explain.load_model("densenet?classes=4&size=64&growth=4")
    assert explain.load_model(explain.save_model(model, tmp_path)).digest == model.digest


def test_a_checkpoint_is_judged_with_its_architecture(small, tmp_path):
    file = tmp_path / "small.pth"
    torch.save({"a.weight": torch.zeros(3)}, file)
    with pytest.raises(TooLarge, match="2 times over"):
        explain.load_model(file, architecture="timm:eva_giant_patch14_224")
    with pytest.raises(TooLarge, match="2 times over"):
        kept_models.keep_model(file.read_bytes(), "small.pth", "torchvision:regnet_y_128gf", "mine")
    with pytest.raises(TooLarge, match="4000 x 4000"):
        kept_models.keep_model(
            file.read_bytes(), "small.pth", "torchvision:resnet18", "mine", preprocess={"size": 4000}
        )


def test_no_layer_is_made_for_numbers_that_a_file_does_not_hold(monkeypatch):
    """1 KB of a file asked for a head of 100,000 outputs, which was made before it was looked at."""
    weights = {**models.resnet18().state_dict(), "fc.weight": torch.zeros(1, 1).expand(100_000, 512)}
    monkeypatch.setattr(fitting, "_replace", lambda *_: pytest.fail("it was made"))
    with pytest.raises(BadFile, match="claims more numbers"):
        fitting.fit(models.resnet18(), weights, "x")


def test_layers_that_share_their_numbers_are_counted_each(monkeypatch):
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(64, 5), nn.Linear(64, 5)

    shared = torch.zeros(40_000, 64)
    weights = {f"{name}.weight": shared for name in ("one", "two")} | {
        f"{name}.bias": torch.zeros(40_000) for name in ("one", "two")
    }
    monkeypatch.setattr(memory, "free", lambda: 3 * shared.nbytes)
    with pytest.raises(BadFile, match="no memory"):
        fitting.fit(Twins(), weights, "x")


def test_a_training_is_judged(monkeypatch):
    from explain.data import load_images
    from explain.training.network import begin
    from explain.training.recipes import Recipe

    plan = Recipe("large", "mlp", "fashion-mnist", "", options={"fc1": 10_000, "fc2": 10_000})
    monkeypatch.setattr(memory, "free", lambda: 1 << 30)
    with pytest.raises(TooLarge, match="4 times over"):
        begin(plan, load_images("fashion-mnist"))


def test_what_exists_already_is_not_judged(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    assert explain.wrap(net, preprocess=explain.Preprocess(32, channels=3)).outputs == 3


# ------------------------------------------------------------ downloads


def test_a_download_that_does_not_fit_is_not_begun(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=40 << 20))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *_, **__: pytest.fail("it was begun"))
    with pytest.raises(NotSupported, match=r"45 MiB to be fetched; 20 MiB, 50% of the 40 MiB of disk that is free"):
        explain.load_model("torchvision:resnet18")


def test_the_size_of_timms_file_is_asked_first(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_reach", lambda _what: None)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda _url, **_: SimpleNamespace(size=1 << 50))
    with pytest.raises(NotSupported, match=r"1,024\.0 TiB to be fetched"):
        explain.load_model("timm:resnet18.a1_in1k")


def test_the_size_of_a_folder_on_the_hub_is_asked_first(monkeypatch, tmp_path):
    def snapshot(_name, local_files_only=False, dry_run=False, **_):
        if local_files_only:
            raise LocalEntryNotFoundError("nothing here")
        assert dry_run, "it was begun"
        return [SimpleNamespace(file_size=1 << 49, will_download=True)] * 2

    from huggingface_hub.errors import LocalEntryNotFoundError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_reach", lambda _what: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    with pytest.raises(NotSupported, match=r"1,024\.0 TiB to be fetched"):
        explain.load_model("hf:some/net")


# ------------------------------------------------------------ memory


def test_what_is_promised_is_not_free_for_others(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 1000)
    assert memory.room() == 500
    with memory.promised(400):
        assert memory.room() == 300
        with memory.promised(700):
            assert memory.room() == 0
    assert memory.room() == 500


def proc_of(folder, available, groups):
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {available >> 10} kB\n")
    (folder / "self/cgroup").write_text(groups)
    return folder


@pytest.mark.parametrize(("inner", "outer", "free"), [("max", "max", 8000), (5000, "max", 4500), (5000, 4000, 3500)])
def test_a_container_has_what_its_groups_leave(tmp_path, inner, outer, free):
    proc = proc_of(tmp_path / "proc", 8000 << 10, "0::/outer/inner\n")
    for place, most in (("outer/inner", inner), ("outer", outer)):
        group = tmp_path / "cgroup" / place
        group.mkdir(parents=True, exist_ok=True)
        (group / "memory.max").write_text(str(most if most == "max" else most << 10))
        (group / "memory.current").write_text(str(1000 << 10))
        (group / "memory.stat").write_text(f"anon 3\ninactive_file {500 << 10}\n")
    assert memory.free(tmp_path / "cgroup", proc) == free << 10


def test_groups_of_the_older_kind(tmp_path):
    """The path is the host's, which is not seen from within; its own group is the root."""
    proc = proc_of(tmp_path / "proc", 8000 << 10, "9:cpu:/x\n4:memory:/docker/abc\n0::/\n")
    group = tmp_path / "cgroup/memory"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(str(2000 << 10))
    (group / "memory.usage_in_bytes").write_text(str(600 << 10))
    (group / "memory.stat").write_text("total_inactive_file 0\n")
    assert memory.free(tmp_path / "cgroup", proc) == 1400 << 10


def test_a_system_that_says_nothing(tmp_path):
    assert memory.free(tmp_path, tmp_path) > 1 << 27


def test_bytes_in_words():
    said = [memory.bytes_text(count) for count in (12, 2048, 45 << 20, 1.5 * 2**30, 2.7 * 2**40)]
    assert said == ["12 bytes", "2 KiB", "45 MiB", "1.5 GiB", "2.7 TiB"]
    assert math.isfinite(memory.free())

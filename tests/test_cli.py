"""cli: what it prints is for people or for programs, and a mistake is one line and exit status 2."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explain import cli
from explain.data import list_images
from explain.figure import read_facts
from explain.views import VIEWS
from explain.workspace import list_models

ROOT = Path(__file__).parent.parent
NAME, PICTURE = "lenet-fashion-mnist", "fashion-mnist/0"
COMMANDS = cli.declared().names


@pytest.fixture(autouse=True)
def shared(lenet, monkeypatch):
    """The shipped LeNet is loaded once for the whole file; every other name takes the real way."""
    from explain.network import zoo

    real = zoo.load_model

    def load(name, weights=None, device="auto", **how):
        plain = name == NAME and (weights, device) == (None, "auto") and not any(how.values())
        return lenet if plain else real(name, weights, device, **how)

    monkeypatch.setattr(zoo, "load_model", load)


def strict(text):
    """JSON as programs read it: no NaN."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=str)
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--help"])
    out, err = capsys.readouterr()
    assert caught.value.code == 0
    assert out.startswith("usage: python -m explain")
    assert err == ""
    assert all(name in out for name in ([] if command else COMMANDS))


def test_help_says_what_each_parameter_may_be(capsys):
    """Every parameter and every style of a view stands in its help, with range or choices and default."""
    for name, view in VIEWS.items():
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        out = " ".join(capsys.readouterr().out.split())
        for key, one in view.parameters.items():
            if not one.kind.hidden and not one.is_options:
                positional = one.required and one.kind.positional
                flags = (one.kind.metavar, key.upper()) if positional else (f"--{key.replace('_', '-')}",)
                assert any(flag in out for flag in flags), (name, key)
                option = getattr(one.kind, "option", None)
                assert option is None or option.allowed in out, (name, key)
        for key, option in view.style.items():
            assert key in out, (name, key)
            assert option.allowed in out, (name, key)


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["bogus"],
        ["models", "x"],
        ["models", "--bogus"],
        ["a\nb"],
        ["models", "a\nb"],
        ["filters"],
        ["filters", "bogus"],
        ["filters", "torchvision:bogus"],
        ["filters", "timm:bogus"],
        ["filters", "a\nb"],
        ["filters", "x" * 5000],
        ["filters", "/etc/passwd"],
        ["filters", "/"],
        ["filters", NAME, "--layer", "bogus"],
        ["filters", NAME, "--layer", "fc1"],
        ["filters", NAME, "--weights", "bogus"],
        ["filters", NAME, "--architecture", "x"],
        ["filters", NAME, "--device", "bogus"],
        ["filters", "lenet", "--weights", "/etc/passwd"],
        ["filters", "lenet?weights=random"],
        ["anatomy", "bogus"],
        ["predict", NAME],
        ["predict", NAME, "bogus"],
        ["predict", NAME, "photos/99"],
        ["predict", NAME, "photos/x\ny"],
        ["predict", NAME, "upload/../../etc/passwd"],
        ["predict", NAME, "/etc/passwd"],
        ["predict", NAME, "/dev/null"],
        ["predict", NAME, "x" * 5000],
        ["predict", NAME, "photos/" + "9" * 5000],
        ["predict", NAME, PICTURE, "-k", "0"],
        ["predict", NAME, PICTURE, "-k", "x"],
        ["activations", NAME, PICTURE],
        ["activations", NAME, PICTURE, "--layer", "bogus"],
        ["activations", NAME, PICTURE, "--layer", "conv1", "--style", "channel=6"],
        ["activations", NAME, PICTURE, "--layer", "conv1", "--style", "channel=-1"],
        ["activations", NAME, PICTURE, "--layer", "conv1", "--style", "channel=x"],
        ["saliency", NAME, PICTURE, "--method", "bogus"],
        ["saliency", NAME, PICTURE, "--target", "bogus"],
        ["saliency", NAME, PICTURE, "--target", "10"],
        ["saliency", NAME, PICTURE, "--target", "9" * 5000],
        ["saliency", NAME, PICTURE, "--option", "bogus=1"],
        ["saliency", NAME, PICTURE, "--option", "reduce=bogus"],
        ["saliency", NAME, PICTURE, "--option", "reduce"],
        ["saliency", NAME, PICTURE, "--layer", "bogus", "--method", "grad_cam"],
        ["unit", NAME, PICTURE, "--layer", "conv1"],
        ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "6"],
        ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "x"],
        ["unit", NAME, PICTURE, "--layer", "bogus", "--channel", "1"],
        ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "1", "--position", "28", "0"],
        ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "1", "--method", "bogus"],
        ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "1", "--option", "bogus=1"],
        ["unit", NAME, PICTURE, "--layer", "conv2", "--channel", "1"],
        ["show"],
        ["show", "bogus.png"],
        ["show", "/etc/passwd"],
        ["show", "/"],
        ["serve", "--port", "x"],
        ["train", "bogus", "--to", "/tmp/none"],
        ["train", NAME, "--to", "/tmp/none", "--epochs", "0"],
        ["train", NAME, "--to", "/tmp/none", "--epochs", "x"],
        ["train", NAME, "--to", "/tmp/none", "--seed", "9" * 30],
        ["train", NAME, "--to", "/tmp/none", "--data", "photos"],
        ["train", NAME, "--to", "/tmp/none", "--learning-rate", "nan"],
    ],
    ids=lambda line: " ".join(line)[:60].replace("\n", "|"),
)
def test_mistake(run, line):
    status, out, err = run(*line)
    assert status == 2
    assert out == ""
    assert err.startswith("explain: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert len(err) < 1500 or len(line[-1]) > 1000
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "line",
    [
        ["--out", "x.bogus"],
        ["--out", "x"],
        ["--out", "/proc/none/x.png"],
        ["--style", "scale=bogus"],
        ["--style", "bogus=1"],
        ["--style", "scale"],
        ["--style", "page=9"],
        ["--style", "factor=x"],
    ],
    ids=" ".join,
)
def test_mistaken_figure(run, tmp_path, line):
    """Nothing is written, nothing is printed as if it had worked, also where no file was asked for."""
    wholes = [line] if "--out" in line else [line, [*line, "--out", str(tmp_path / "x.png")]]
    for whole in wholes:
        status, out, err = run("filters", NAME, *whole)
        assert status == 2, whole
        assert out == ""
        assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_names_the_value(run):
    for line, parts in {
        ("filters", NAME, "--layer", "conv_1"): ["'conv_1'", "'conv1'"],
        ("saliency", NAME, PICTURE, "--method", "gradcam"): ["'gradcam'", "grad_cam"],
        ("saliency", NAME, PICTURE, "--target", "Hat"): ["'Hat'", "0 to 9"],
        ("predict", NAME, "photos/99"): ["photos/99", "0 to"],
        ("filters", NAME, "--style", "bogus=1", "--out", "x.png"): ["bogus", "polarity"],
    }.items():
        _, _, err = run(*line)
        assert all(part in err for part in parts), err


LINES = [
    ["models"],
    ["data"],
    ["predict", NAME, PICTURE],
    ["anatomy", NAME],
    ["filters", NAME],
    ["filters", NAME, "--layer", "conv2"],
    ["activations", NAME, PICTURE, "--layer", "act1"],
    ["activations", NAME, PICTURE, "--layer", "fc1", "--style", "channel=3"],
    ["unit", NAME, PICTURE, "--layer", "conv1", "--channel", "3"],
    ["unit", NAME, PICTURE, "--layer", "fc2", "--channel", "3", "--method", "gradient"],
    ["saliency", NAME, PICTURE],
    ["saliency", NAME, PICTURE, "--method", "grad_cam", "--target", "Bag"],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_output(run, line):
    status, out, err = run(*line)
    assert (status, err) == (0, "")
    assert out.strip()
    status, out, err = run(*line, "--json")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert strict(out)


def test_numbers(run, lenet):
    from explain.data import load_images

    assert strict(run("models", "--json")[1]) == {"models": list_models()}
    assert strict(run("data", "--json")[1]) == {"data": list_images()}
    image = load_images("fashion-mnist")[0]
    wanted = [list(pair) for pair in lenet.predict(image, k=3)[0]]
    assert strict(run("predict", NAME, PICTURE, "-k", "3", "--json")[1])["classes"] == wanted
    answer = strict(run("saliency", NAME, PICTURE, "--target", "3", "--json")[1])
    assert answer["numbers"]["target"] == answer["facts"]["target"] == lenet.classes[3]
    assert answer["facts"]["model_digest"] == lenet.digest
    table = strict(run("anatomy", NAME, "--json")[1])["numbers"]
    assert sum(table["parameters"]) == 61_706
    assert strict(run("filters", NAME, "--json")[1])["numbers"]["shape"] == [6, 1, 5, 5]


@pytest.mark.parametrize("format", ["png", "svg", "pdf", "csv", "npz", "html"])
def test_figures(run, tmp_path, format):
    """Each format holds the facts that --json prints, and `show` reads them."""
    file = tmp_path / "new" / f"figure.{format}"
    status, out, err = run("saliency", NAME, PICTURE, "--out", file, "--style", "mode=signed", "--json")
    assert status == 0
    assert len(err.splitlines()) == 1
    assert str(file) in err
    facts = strict(out)["facts"]
    assert file.stat().st_size > 100
    status, out, err = run("show", file, "--json")
    assert (status, err) == (0, "")
    shown = strict(out)
    assert shown == strict(json.dumps(read_facts(file)))
    assert {key: shown[key] for key in facts} == facts
    assert shown["style"]["mode"] == "signed"
    if format == "png":
        Image.open(io.BytesIO(file.read_bytes())).load()


def test_channel(run, tmp_path):
    file = tmp_path / "channel.npz"
    line = ["activations", NAME, PICTURE, "--layer", "conv1", "--style", "channel=2", "--style", "opacity=0.5"]
    assert run(*line, "--out", file)[0] == 0
    assert np.load(file)["map"].shape == (28, 28)
    assert (read_facts(file)["style"]["channel"], read_facts(file)["style"]["opacity"]) == (2, 0.5)


def test_unit(run, tmp_path):
    file = tmp_path / "unit.npz"
    line = [
        "unit",
        NAME,
        PICTURE,
        "--layer",
        "conv1",
        "--channel",
        "2",
        "--position",
        "0",
        "5",
        "--out",
        file,
        "--json",
    ]
    numbers = strict(run(*line)[1])["numbers"]
    assert (numbers["position"], numbers["box"]) == ([0, 5], [0, 3, 3, 8])
    projection = np.load(file)["projection"]
    assert projection.shape == (1, 28, 28)
    assert (projection.min(), projection.max()) == (numbers["min"], numbers["max"])
    assert read_facts(file)["method"] == "deconvnet"


def test_checkpoint(run, lenet):
    file = ROOT / "models" / NAME / "weights.safetensors"
    answer = strict(run("filters", file, "--architecture", "lenet", "--json")[1])
    assert answer["numbers"]["shape"] == [6, 1, 5, 5]


def test_train(run, tmp_path):
    """What is trained by the command line is a folder that the command line reads."""
    asked = ["train", NAME, "--data", "fashion-mnist", "--limit", "256", "--to", tmp_path / "mine", "--json"]
    changes = ["--epochs", "2", "--batch-size", "64", "--seed", "3", "--augment", "crop:padding=1", "--augment", "flip"]
    changes += ["--set", "optimiser=adam", "--set", "optimiser_options.beta1=0.8", "--set", "options.activation=tanh"]
    status, out, err = run(*asked, *changes)
    assert status == 0
    assert "linear scaling rule" not in err, "which is one for SGD"
    assert len(err.splitlines()) == 2, "a line an epoch"
    assert strict(out)["accuracy"].keys() == {"train"}
    card = json.loads((tmp_path / "mine" / "model.json").read_text())
    plan = card["recipe"]
    assert (plan["seed"], plan["epochs"], plan["batch_size"]) == (3, 2, 64)
    assert (plan["optimiser_options"], plan["options"]) == ({"beta1": 0.8}, {"activation": "tanh"})
    assert plan["augmentation"] == [["crop", {"padding": 1, "fill": "zero"}], ["flip", {"probability": 0.5}]]
    assert run("predict", tmp_path / "mine", PICTURE)[0] == 0


def test_interrupt(run, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.names, "say", lambda *_: stop(_))
    assert run("models") == (130, "", "explain: stopped\n")


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_module():
    answer = python("-m", "explain", "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("usage: python -m explain")
    wrong = python("-m", "explain", "bogus")
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)


HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "streamlit",
    "numpy",
    "PIL",
    "matplotlib",
    "captum",
    "sklearn",
    "skimage",
    "scipy",
)


@pytest.mark.parametrize(
    "code", ["import explain", "import explain; dir(explain)", "import explain.cli as c; c.declared()"]
)
def test_light(code):
    """Neither the package nor the parser loads anything heavy."""
    answer = python("-c", f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])")
    assert answer.stdout.strip() == "[]", answer.stderr


def test_no_help_loads_anything_heavy():
    """All of them in one process: what the first one loaded would be seen by the last."""
    code = f"""
import contextlib, io, sys
from explain import cli
for name in cli.declared().names:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
        cli.main([name, "--help"])
    found = [heavy for heavy in {HEAVY} if heavy in sys.modules]
    assert out.getvalue().startswith("usage") and not found, (name, found)
"""
    answer = python("-c", code)
    assert answer.returncode == 0, answer.stderr


def test_more_classes_than_there_are_is_refused(run):
    status, out, said = run("predict", "lenet-fashion-mnist", "fashion-mnist/0", "-k", "1000")
    assert (status, out) == (2, "")
    assert "k=1000 is not a whole number from 1 to 10" in said
    assert run("predict", "lenet-fashion-mnist", "fashion-mnist/0", "-k", "10")[2] == ""


@pytest.mark.parametrize(
    "words", [["--help"], ["saliency", "--help"], ["models"], ["recipes"], ["recipes", "lenet-fashion-mnist"], ["data"]]
)
def test_what_only_lists_loads_no_torch(words):
    lines = ("import sys; from explain import cli", f"try: cli.main({words!r})", "except SystemExit: pass")
    code = "\n".join([*lines, "print('torch' in sys.modules)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("explain sali", {"saliency", "saliency_grid"}),
        ("explain saliency lenet", {"lenet-fashion-mnist"}),
        ("explain saliency lenet-fashion-mnist fash", {"fashion-mnist/"}),
        ("explain saliency lenet-fashion-mnist fashion-mnist/0 --met", {"--method"}),
        ("explain saliency lenet-fashion-mnist fashion-mnist/0 --method grad_", {"grad_cam", "grad_cam_plus_plus"}),
        ("explain embedding folder --method um", {"umap"}),
        ("explain train lenet-", {"lenet-fashion-mnist"}),
    ],
)
def test_a_shell_is_told_how_a_line_can_go_on(line, some, tmp_path):
    """By the protocol of the code that `explain completion bash` prints: the answer goes to file descriptor 8."""
    answer = tmp_path / "answer"
    code = "import os, sys; from explain import cli; cli.main()"
    script = f'exec 8>"{answer}" 9>/dev/null; exec "{sys.executable}" -c "{code}"'
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    subprocess.run(["bash", "-c", script], env={**os.environ, **asked}, cwd=tmp_path, check=False)
    assert some <= {word.strip() for word in answer.read_text().split("\n")}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell_is_printed(run, shell):
    status, out, _ = run("completion", shell)
    assert status == 0
    assert "explain" in out
    assert "COMP_LINE" in out

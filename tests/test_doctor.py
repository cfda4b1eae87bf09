"""doctor: says what there is, tries each part, and goes on where one does not work."""

import json

import pytest

from explain.cli import doctor
from explain.errors import BadFile
from explain.figure import FORMATS
from explain.workspace import list_models


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def without_app(monkeypatch):
    monkeypatch.setattr(doctor, "_first_page", lambda: "not opened here")


@pytest.mark.slow
def test_all_is_well(run, home):
    status, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert (status, found["wrong"]) == (0, []), found["parts"]
    parts = found["parts"]
    assert {f"network {name}" for name in list_models()} < parts.keys()
    assert {"device", "workspace", "pictures photos", "app", *doctor.PARTS} < parts.keys()
    assert all(name in parts["figures"]["said"] for name in FORMATS)
    assert "its first page opens" in parts["app"]["said"]
    assert "24 pictures" in parts["index"]["said"]
    assert found["workspace"]["folder"] == str(home)
    assert found["workspace"]["limit"] > 0
    assert found["workspace"]["kinds"] == {}
    assert not any(home.rglob("*")), "it leaves nothing behind"


def test_a_part_that_fails_is_told_and_the_others_are_tried(run, monkeypatch, without_app):
    from explain.network import zoo
    from explain.training import fit

    def broken(*_, **__):
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(fit, "begin", broken)
    real = zoo.load_model

    def damaged(name, *args, **options):
        if name == "edges-fashion-mnist":
            raise BadFile("The weights are damaged.")
        return real(name, *args, **options)

    monkeypatch.setattr(zoo, "load_model", damaged)
    status, out, _ = run("doctor")
    assert status == 1
    lines = out.splitlines()
    assert "WRONG network edges-fashion-mnist: The weights are damaged." in lines
    assert any(line.startswith("WRONG training: ImportError: libgomp.so.1") for line in lines)
    assert lines[-1] == "Wrong: network edges-fashion-mnist, training."
    for part in ("saliency", "index", "neighbours", "embedding", "figures", "app", "device"):
        assert any(line.startswith(f"ok    {part}: ") for line in lines), part


def test_the_machine_and_the_workspace(run, monkeypatch, home, without_app):
    monkeypatch.setattr(doctor, "PARTS", {})
    monkeypatch.setattr(doctor, "free", lambda: 100 << 20)
    kept = home / "models" / "mine"
    kept.mkdir(parents=True)
    (kept / "weights.safetensors").write_bytes(b"other than they were")
    (kept / "model.json").write_text(json.dumps({"weights": {"file": "weights.safetensors", "sha256": "0" * 64}}))
    (home / "runs" / "r").mkdir(parents=True)
    (home / "runs" / "r" / "checkpoint.pt").write_bytes(bytes(3 << 20))
    monkeypatch.setenv("EXPLAIN_WORKSPACE_BYTES", "2MB")
    status, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert status == 1
    assert {"memory", "budget", "network mine"} <= set(found["wrong"])
    assert "100 MB" in found["parts"]["memory"]["said"]
    assert "3.0 MB of 2.0 MB: trainings 3.0 MB" in found["parts"]["budget"]["said"]
    assert "not those that were kept" in found["parts"]["network mine"]["said"]
    assert found["workspace"]["kinds"]["runs"] == 3 << 20
    monkeypatch.setenv("EXPLAIN_WORKSPACE_BYTES", "plenty")
    status, out, _ = run("doctor")
    assert status == 1
    assert "WRONG budget: EXPLAIN_WORKSPACE_BYTES is 'plenty'" in out


def test_a_damaged_explain_toml_is_one_line(run, monkeypatch, tmp_path, without_app):
    monkeypatch.setattr(doctor, "PARTS", {})
    (tmp_path / "explain.toml").write_text("[models.x]\nweights = 3 3")
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("doctor")
    assert status == 1
    assert sum("explain.toml cannot be read" in line for line in out.splitlines()) == 1

"""What many tests share: two shipped models, loaded once, and the command line."""

import functools
import gc
import os
import re
import sys
from pathlib import Path

# Two threads on two cores, of one process or of two; what they start has as many, so that its sums are the same.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import explain  # noqa: F401  # isort: skip  # first: it says how torch's threads wait for each other
import pytest
import torch

gc.disable()  # until everything is collected: what is imported stays
pytest_plugins = ["view_cases"]
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="the exhaustive tests too")


# What takes longest begins first, so that no worker is left alone with it.
LONGEST = (
    "browser",
    "browser of jobs",
    "views",
    "test_documentation",
    "test_training",
    "test_app",
    "test_contract",
    "test_timm_families",
)
OF_VIEWS = ("test_views", "test_redraw", "test_restore")  # what view_cases.py makes is made once
OF_JOBS = ("test_embedding_page", "test_jobs_page", "test_training_page", "test_pages")  # half of the browser's time


def group_of(nodeid):
    """What stays on one worker: a file, or some that share what is made, or half of those of a browser."""
    path = nodeid.partition("::")[0]
    name = path.rpartition("/")[2].removesuffix(".py")
    if "/browser/" in path:
        return "browser of jobs" if name in OF_JOBS else "browser"
    return "views" if name in OF_VIEWS else name


def pytest_collection_modifyitems(config, items):
    config.collected = list(items)  # also what nobody asked for: docs/lectures.md is held to account by it
    left = [] if config.getoption("--all") else [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left)
    kept = [item for item in items if item not in set(left)]
    items[:] = sorted(kept, key=lambda item: (*LONGEST, group_of(item.nodeid)).index(group_of(item.nodeid)))


def pytest_runtest_setup(item):
    """A fresh AppTest looks through all installed packages for components, which takes it longer than the page does;
    none is installed during a run, so one look is enough."""
    scanner = sys.modules.get("streamlit.components.v2.manifest_scanner")
    if scanner is not None and not hasattr(scanner.scan_component_manifests, "cache_info"):
        scanner.scan_component_manifests = functools.cache(scanner.scan_component_manifests)


def pytest_terminal_summary(terminalreporter):
    """Rows of the lectures for which there was no proof in this run."""
    page = Path(__file__).parents[1] / "docs" / "lectures.md"
    named = set(re.findall(r"`(tests/[\w/]+\.py::\w+)", page.read_text(encoding="utf-8")))
    skipped = {report.nodeid.partition("[")[0] for report in terminalreporter.stats.get("skipped", ())}
    if skipped & named:
        terminalreporter.section("named in docs/lectures.md, and skipped here")
        for one in sorted(skipped & named):
            terminalreporter.write_line(one)


def pytest_collection_finish():
    """From now on the collector walks through what tests make, not through torch: Streamlit asks for a whole round
    after each run of a script."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """By groups; loadgroup of pytest-xdist 3.8 leaves the groups out under pytest 9.2, and says nothing."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Grouped(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return Grouped(config, log)


@pytest.fixture(scope="session", autouse=True)
def installed_packages_are_looked_through_once():
    """Streamlit reads what every package says of itself, a fifth of a second, for each AppTest."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            manifest_scanner, "scan_component_manifests", functools.cache(manifest_scanner.scan_component_manifests)
        )
        yield


@pytest.fixture(scope="module")
def quick_pdfs():
    """Letters as outlines: to cut a font down to those of a page, as is done otherwise, takes half a second."""
    from explain.figure import canvas

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(canvas._SETTINGS, "pdf.fonttype", 3)
        yield


@pytest.fixture(scope="session")
def lenet():
    from explain.network.zoo import load_model

    return load_model("lenet-fashion-mnist")


@pytest.fixture(scope="session")
def lite():
    from explain.network.zoo import load_model

    return load_model("efficientnet-lite0")


@pytest.fixture(scope="session")
def clothes(lenet, tmp_path_factory):
    """An index of the shipped LeNet over the first 300 pictures of Fashion-MNIST, which nobody may change."""
    from explain import build_index

    return build_index(lenet, "fashion-mnist", limit=300, out=tmp_path_factory.mktemp("clothes"))


@pytest.fixture
def run(capsys):
    """Run a command line; (status, standard output, standard error)."""
    from explain import cli

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run

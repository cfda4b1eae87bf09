"""What many tests share: two shipped models, loaded once, and the command line."""

import os

# Two threads on two cores, of one process or of two; what they start has as many, so that its sums are the same.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import explain  # noqa: F401  # isort: skip  # first: it says how torch's threads wait for each other
import pytest
import torch

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="the exhaustive tests too")


# Whole files stay together; those of a browser are one group, which shares a server, and waits more than it works. What
# takes longest begins first, so that no worker is left alone with it.
LONGEST = ("browser", "test_contract", "test_training", "test_redraw", "test_app", "test_trust", "test_geometry")


def pytest_collection_modifyitems(config, items):
    left = [] if config.getoption("--all") else [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left)
    kept = [(group_of(item), item) for item in items if item not in set(left)]
    for group, item in kept:
        item.add_marker(pytest.mark.xdist_group(group))
    items[:] = [item for _, item in sorted(kept, key=lambda pair: (*LONGEST, pair[0]).index(pair[0]))]


def group_of(item):
    return "browser" if item.path.parent.name == "browser" else item.path.stem


@pytest.fixture(scope="session")
def lenet():
    from explain.zoo import load_model

    return load_model("lenet-fashion-mnist")


@pytest.fixture(scope="session")
def lite():
    from explain.zoo import load_model

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

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


def pytest_collection_modifyitems(config, items):
    if config.getoption("--all"):
        return
    left = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


@pytest.fixture(scope="session")
def lenet():
    from explain.zoo import load_model

    return load_model("lenet-fashion-mnist")


@pytest.fixture(scope="session")
def lite():
    from explain.zoo import load_model

    return load_model("efficientnet-lite0")


@pytest.fixture
def run(capsys):
    """Run a command line; (status, standard output, standard error)."""
    from explain import cli

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run

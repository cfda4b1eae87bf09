"""What many tests share: the two shipped models, loaded once."""

import pytest
import torch

torch.set_num_threads(2)


@pytest.fixture(scope="session")
def lenet():
    from explain.zoo import load_model

    return load_model("lenet-fashion-mnist")


@pytest.fixture(scope="session")
def lite():
    from explain.zoo import load_model

    return load_model("efficientnet-lite0")

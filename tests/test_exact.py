"""exact: full float32 while anybody asks for it, and torch's own settings as they were afterwards."""

import threading

import pytest
import torch

from explain.network.exact import exact, repeatable

CUDA = torch.device("cuda")  # the settings can be read and changed without one


def settings():
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    precisions = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, products.fp32_precision
    return *precisions, cudnn.allow_tf32, torch.get_float32_matmul_precision(), cudnn.deterministic


def is_exact():
    return "tf32" not in settings() and not torch.backends.cudnn.allow_tf32 and torch.backends.cudnn.deterministic


@pytest.fixture(params=["as torch comes", "without TF32", "TF32 also for products"])
def before(request):
    torch.backends.cudnn.allow_tf32 = request.param != "without TF32"
    torch.set_float32_matmul_precision("high" if "products" in request.param else "highest")
    yield settings()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")


def test_settings_are_put_back(before):
    with pytest.raises(KeyError), exact(CUDA):
        assert is_exact()
        with exact(CUDA):
            assert is_exact()
        assert is_exact()
        raise KeyError
    assert settings() == before
    with exact(torch.device("cpu")):
        assert settings() == before


def test_the_last_to_leave_puts_them_back(before):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with exact(CUDA):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with exact(CUDA):
        thread.start()
        assert inside.wait(10)
    assert is_exact()
    leave.set()
    thread.join()
    assert settings() == before


def test_a_training_keeps_its_order_of_sums_when_a_view_is_done():
    before = settings()
    with repeatable(CUDA):
        assert settings()[:-1] == before[:-1]
        with exact(CUDA):
            assert is_exact()
        assert torch.backends.cudnn.deterministic
        assert settings()[:-1] == before[:-1]
    assert settings() == before

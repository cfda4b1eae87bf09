"""Many sessions, one model: the answers of eight threads are those of one, every time (TRAPS 42, 43)."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from near import alike

from explain.views import activations, filters, saliency
from explain.workspace import open_picture

PICTURES = [open_picture(f"fashion-mnist/{i}") for i in range(4)]


def ask(model, job):
    kind, i, choice = job
    picture = PICTURES[i]
    if kind == "maps":
        return activations.compute(model, picture, choice).maps
    if kind == "heat":
        return saliency.compute(model, picture, choice).heat
    if kind == "weights":
        return filters.compute(model, choice).tiles
    return np.array([p for _, p in model.predict(picture, 10)[0]])


JOBS = [
    *[("maps", i, layer) for i in range(4) for layer in ("conv1", "act1", "act2", "fc3")],
    *[("heat", i, method) for i in range(4) for method in ("gradient", "grad_cam")],
    *[("scores", i, "") for i in range(4)],
    ("weights", 0, "conv2"),
]


def test_eight_threads_give_the_answers_of_one(lenet):
    alone = {job: ask(lenet, job) for job in JOBS}
    work = JOBS * 16
    random.Random(0).shuffle(work)
    with ThreadPoolExecutor(8) as pool:
        wrong = [
            job
            for job, answer in zip(work, pool.map(lambda job: ask(lenet, job), work), strict=True)
            if not alike(answer, alone[job])
        ]
    assert wrong == []


@pytest.mark.slow
def test_eight_threads_on_a_network_with_inplace_layers(lite):
    picture = open_picture("photos/chelsea.png")
    asks = [
        lambda: activations.compute(lite, picture, "conv_stem").maps,
        lambda: activations.compute(lite, picture, "blocks.3.0.bn1").maps,
        lambda: saliency.compute(lite, picture, "gradient").heat,
        lambda: saliency.compute(lite, picture, "grad_cam").heat,
    ]
    alone = [one() for one in asks]
    order = [i % 4 for i in range(48)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: asks[i](), order))
    assert all(np.allclose(answer, alone[i], atol=1e-6) for i, answer in zip(order, answers, strict=True))


def test_the_model_is_left_as_found(lenet):
    with lenet.exclusive() as net:
        before = [(m.training, len(m._forward_hooks)) for m in net.modules()]
    for job in JOBS[:20]:
        ask(lenet, job)
    with lenet.exclusive() as net:
        assert [(m.training, len(m._forward_hooks)) for m in net.modules()] == before
        assert all(p.grad is None for p in net.parameters())
    assert torch.is_grad_enabled()

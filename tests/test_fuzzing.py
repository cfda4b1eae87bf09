"""The fuzzer finds what it looks for, and its inputs come again."""

import random

import pytest
from fuzz_planted import FILE
from fuzz_targets import TARGETS
from fuzzing import Asked, fuzz, mutated

SAID = {
    "raising": "KeyError",
    "growing": "MB of memory",
    "slow": "took",
    "hanging": "longer than 4 s",
    "dying": "ended",
}


@pytest.fixture(scope="module")
def planted():
    asked = Asked("fuzz_planted", patience=4)
    yield asked
    asked.close()


@pytest.mark.parametrize("name", SAID)
def test_each_way_to_fail_is_found_and_replayed(name, planted, tmp_path):
    counts, (kept,) = fuzz([name], 1, 0, tmp_path, planted)
    assert counts[name] > 0
    assert SAID[name] in kept.with_suffix(".txt").read_text()
    number = int(kept.stem.rpartition("-")[2])
    assert kept.read_bytes() == mutated([FILE], (), random.Random(f"{name} 0 {number}"))
    assert SAID[name] in planted.ask({"target": name, "file": str(kept)})


def test_errors_for_users_are_no_failures(planted, tmp_path):
    counts, kept = fuzz(["fine"], 1, 0, tmp_path, planted)
    assert counts["fine"] > 10
    assert not kept


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_follow_from_their_seed_and_differ(name):
    target = TARGETS[name]
    files = target.files()
    assert files == target.files()
    inputs = [mutated(files, target.words, random.Random(k)) for k in range(30)]
    assert inputs == [mutated(files, target.words, random.Random(k)) for k in range(30)]
    assert len(set(inputs)) > 15

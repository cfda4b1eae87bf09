"""study: trials are balanced and blind, hits are counted against what one reaches without a map."""

import csv
import io

import numpy as np
import pytest
from near import close
from scipy.stats import beta

import explain
from explain.errors import BadValue
from explain.figure import read_facts
from explain.views import study
from explain.views.study import Answer, Rate, Trial


@pytest.fixture(scope="module")
def index(clothes):
    return clothes


def test_right_is_what_a_pass_says(index, lenet):
    scores = lenet.scores([index.images[k] for k in range(len(index))])
    best = scores.topk(2).values
    sure = (best[:, 0] - best[:, 1] > close(scores)).numpy()
    assert sure.mean() > 0.99
    right = (scores.argmax(1).numpy() == index.labels).astype(np.int8)
    assert np.array_equal(index.right[sure], right[sure])


@pytest.mark.parametrize("even", [True, False])
def test_trials_are_drawn_by_the_seed_and_maps_say_nothing_of_the_truth(index, even):
    planned = study.trials(index, 40, 3, even)
    assert planned == study.trials(index, 40, 3, even)
    assert planned != study.trials(index, 40, 4, even)
    assert len({trial.image for trial in planned}) == len(planned) == 40
    right = index.right
    assert all(trial.right == (right[trial.image] == 1) for trial in planned)
    if even:
        assert sum(trial.right for trial in planned) == 20
    for truth in (True, False):
        some = [trial.with_map for trial in planned if trial.right == truth]
        assert abs(2 * sum(some) - len(some)) <= 1


def test_rates_and_their_interval():
    answers = [Answer(Trial(k, k % 2 == 0, k % 4 < 3), k % 5 < 4, 1.0) for k in range(40)]
    found = study.rates(answers)
    assert found["with the map"].count == found["without"].count == 20
    assert found["always the same guess"] == Rate(30, 40)
    assert found["with the map"].hits + found["without"].hits == sum(answer.hit for answer in answers)
    low, high = Rate(15, 20).interval
    # Wilson's interval lies near the exact posterior of a uniform prior.
    assert (low, high) == pytest.approx(beta.ppf([0.025, 0.975], 16, 6), abs=0.02)
    assert "no answers" in str(Rate(0, 0))


def test_the_verdict_needs_answers_and_a_difference():
    def made(with_map, without):
        hits = [(True, hit) for hit in with_map] + [(False, hit) for hit in without]
        return [Answer(Trial(k, shown, k % 2 == 0), hit == (k % 2 == 0), 1.0) for k, (shown, hit) in enumerate(hits)]

    assert "Too few" in study.verdict(made([True] * 4, [False] * 4))
    assert "more often" in study.verdict(made([True] * 20, [True, False] * 10))
    assert "misleads" in study.verdict(made([False] * 20, [True, False] * 10))
    assert "do not show" in study.verdict(made([True, False] * 10, [True, False] * 10))


def test_all_answers_are_in_the_table(index):
    answers = [Answer(trial, True, 2.5) for trial in study.trials(index, 6, 0, True)]
    given = [(answer.guess, answer.seconds) for answer in answers]
    result = explain.study(index, count=6, method="grad_cam", answers=given)
    content = result.figure().encode("csv").decode()
    rows = list(csv.DictReader(io.StringIO("".join(line for line in content.splitlines(True) if line[0] != "#"))))
    assert [int(row["number"]) for row in rows] == [answer.trial.image for answer in answers]
    assert [row["hit"] for row in rows] == [str(answer.hit) for answer in answers]
    assert index.facts["data_digest"] in content
    assert result.answers == tuple(answers)
    again = explain.redraw(read_facts(content.encode()), index=index)
    assert again.encode("csv").decode() == content
    assert study.verdict(answers) in again.note


def test_what_is_still_to_be_asked_is_not_told(index):
    result = explain.study(index, count=6, answers=[(True, 2.53), (False, 1)])
    assert result.table["number"] == [trial.image for trial in study.trials(index, 6, 0, True)]
    assert result.table["seconds"] == [2.5, 1.0, None, None, None, None]
    for name in ("network_right", "hit", "guessed_right"):
        assert result.table[name][2:] == [None] * 4
        assert None not in result.table[name][:2]


@pytest.mark.parametrize(
    "answers",
    ["yes", {"a": 1}, [True], [(True,)], [("yes", 1)], [(True, -1)], [(True, "1")], [(1, 1)], [(True, 1)] * 7],
)
def test_answers_of_a_file_are_checked(index, answers):
    with pytest.raises(BadValue, match="nswer"):
        explain.study(index, count=6, answers=answers)
    facts = explain.study(index, count=6).figure().facts
    with pytest.raises(BadValue, match="nswer"):
        explain.redraw({**facts, "answers": answers}, index=index)


def test_what_cannot_be_asked_is_said(index, monkeypatch):
    with pytest.raises(BadValue, match="count=1 "):
        explain.study(index, count=1)
    monkeypatch.setattr(type(index), "right", property(lambda self: np.full(len(self), -1, np.int8)))
    with pytest.raises(BadValue, match="no labels"):
        explain.study(index)

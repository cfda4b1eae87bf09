"""The Training page in a real Chromium: a training is started, watched and used without touching anything else."""

import re

import pytest
from visits import go, settle, wait_for_url

pytestmark = pytest.mark.browser

SMALL = {"data": "fashion-mnist", "limit": "3000", "epochs": "4", "batch_size": "64", "keep": "True"}


def test_a_training_is_watched_to_its_end_and_its_model_is_shown_on_other_pages(visit):
    recipe = "edges-fashion-mnist"
    query = "&".join(f"{recipe}.{name}={value}" for name, value in SMALL.items())
    page = visit(f"/train?recipe={recipe}&{query}")
    page.get_by_role("button", name="Start").click()
    wait_for_url(page, trainings="runs", **{"training_curves.runs": f"{recipe}-1"})
    page.wait_for_function("/of 4 epochs/.test(document.body.innerText)")
    page.get_by_test_id("stVegaLiteChart").first.wait_for()
    use = page.get_by_role("button", name=re.compile("Use this model"))
    use.wait_for()
    page.get_by_text("What it learned when").wait_for()
    settle(page)  # what it learned when is computed first, and says how far that is
    assert page.get_by_test_id("stProgress").count() == 0
    use.click()
    wait_for_url(page, model=f"{recipe}-1")
    go(page, "Layers and channels")
    wait_for_url(page, model=f"{recipe}-1")
    page.get_by_text("act2_1").first.wait_for()


def test_a_cancelled_training_is_resumed(visit):
    recipe = "lenet-fashion-mnist"
    query = f"{recipe}.data=fashion-mnist&{recipe}.epochs=200&{recipe}.limit=4000"
    page = visit(f"/train?recipe={recipe}&{query}")
    page.get_by_role("button", name="Start").click()
    page.wait_for_function("/of 200 epochs/.test(document.body.innerText)")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("was interrupted after").wait_for()
    settle(page)
    page.get_by_role("button", name="Resume").click()
    page.wait_for_function("/of 200 epochs ·/.test(document.body.innerText)")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("was interrupted after").wait_for()

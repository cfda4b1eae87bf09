"""What a visitor of the app does and sees, in the words of the tests."""

import re
from urllib.parse import parse_qs, urlsplit


def settle(page, title: str | None = None):
    """Wait until the script has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.get_by_role("heading", level=1, name=title).wait_for()
    page.wait_for_timeout(400)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    # What the script has sent is shown once the browser has nothing else to do, which on a busy machine takes longer.
    idle = "() => new Promise((done) => requestIdleCallback(() => requestAnimationFrame(done), {timeout: 9000}))"
    page.evaluate(idle)
    assert page.get_by_test_id("stException").count() == 0
    return page


def ask(page):
    """What a link alone does not start, with a click."""
    offered = page.locator("[class*=st-key-begin-] button").or_(page.get_by_role("button", name="Load it"))
    offered = offered.filter(visible=True)  # on a narrow page a button with a help is there twice
    for _ in range(3):
        if offered.count():
            offered.first.click()
            settle(page)
    return page


def go(page, title: str):
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    return settle(page, title)


def show(page, section: str):
    """A part of the page by its row of sections."""
    page.get_by_role("radio", name=section, exact=True).click()
    return settle(page)


def wait_for_url(page, /, **wanted: str):
    page.wait_for_function(
        "wanted => Object.entries(wanted).every(([k, v]) => new URLSearchParams(location.search).get(k) === v)",
        arg=wanted,
    )
    return settle(page)


def state_of(page) -> str:
    """What is to see on a page that a test failed on."""
    app = page.get_by_test_id("stApp")
    said = {
        "script": app.get_attribute("data-test-script-state", timeout=2000),
        "titles": page.get_by_role("heading", level=1).all_inner_texts(),
        "toasts": page.get_by_test_id("stToast").all_inner_texts(),
        "said": page.get_by_test_id("stAlert").all_inner_texts(),
        "exceptions": page.get_by_test_id("stException").all_inner_texts(),
        "files": page.get_by_test_id("stFileUploaderFile").all_inner_texts(),
        "buttons": page.locator("[class*=st-key-begin-] button").all_inner_texts(),
    }
    return "\n  ".join([page.url, *(f"{name}: {value}" for name, value in said.items() if value)])


def query(page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def choose(page, label: str, text: str) -> None:
    """Open a list and take a choice; a script that still runs may close the list again, or take the first click."""
    from playwright.sync_api import TimeoutError  # not above: without playwright these tests are skipped

    settle(page)
    option = page.get_by_role("option", name=re.compile(text)).first
    for _ in range(3):
        page.get_by_role("combobox", name=re.compile(label)).click()
        try:
            option.wait_for(timeout=10_000)
            break
        except TimeoutError:
            page.keyboard.press("Escape")
    option.click()


def tile(page, index: int):
    return page.get_by_test_id("stMain").locator(f"#tile-{index}")


def selected(page) -> str:
    found = page.locator("[role=option][aria-selected=true][data-index]")
    found.wait_for()
    return found.get_attribute("data-index")

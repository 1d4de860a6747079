"""The page in a real Chromium: clicks, typed counts, progress and the saved file."""

import time

import pytest

from cpunet.__main__ import main
from cpunet.review.page import write_review
from cpunet.review.saved_file import read_saved
from tests.boxes import FIRST, SECOND, THIRD, boxes
from tests.browser import CONTROL, SHIFT, Browser, chromium
from tests.review_files import reviewed, write_field

pytest.importorskip("jinja2", reason="pages need jinja2, which CellProfiler has")
pytestmark = pytest.mark.skipif(not chromium(), reason="this drives Chromium, which is not installed")
EXPERT = 'Anna "M\u00fcller", MD'
LABELS = boxes(FIRST, SECOND, THIRD)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("review")
    for name in ("first", "second", "third, with a comma"):
        write_field(folder / "set", name, LABELS, boxes(FIRST))
    names = ("first", "second", "third, with a comma")
    fields = [reviewed(folder / "set", name, stain=name == "second") for name in names]
    write_review(folder / "review.html", fields, "the model tiny", "nucleus")
    return folder / "review.html"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chrome, page):
    """The page as an expert finds it, without progress."""
    chrome.open(page)
    chrome.js("localStorage.clear()")
    chrome.open(page)
    for file in chrome.downloads.iterdir():
        file.unlink()
    return chrome


def begin(browser, expert=EXPERT):
    browser.click("#name")
    browser.type(expert)
    browser.key("Enter")
    browser.until("!document.getElementById('review').hidden")


def open_again(browser, page):
    """Open the page in which something was stored: a busy browser writes it a moment later."""
    for _ in range(20):
        browser.open(page)
        if browser.js("document.querySelectorAll('#known button').length"):
            return
        time.sleep(0.1)
    raise AssertionError("nothing was kept")


def click_image(browser, x, y, panel="outlined", shift=False):
    """Click where a pixel of the image is shown."""
    overlay = f"document.querySelector('.{panel} .overlay')"
    matrix = f"{overlay}.getScreenCTM()"
    place = browser.js(f"(({{a, d, e, f}}) => [e + {x + 0.5} * a, f + {y + 0.5} * d])({matrix})")
    browser.drag(place, place, SHIFT if shift else 0)


def counts(browser):
    return browser.value("#false-count"), browser.value("#missed-count")


def stroke(browser, number):
    path = f"document.querySelector('.outlined .objects [data-number=\"{number}\"]')"
    return browser.js(f"getComputedStyle({path}).stroke + ' ' + getComputedStyle({path}).strokeDasharray")


def test_a_click_on_an_object_makes_it_false_and_changes_its_outline(browser):
    begin(browser)
    before = stroke(browser, 2)
    click_image(browser, 26, 8)
    assert counts(browser) == ("1", "0")
    assert stroke(browser, 2) != before
    assert stroke(browser, 1) == before
    assert browser.text("#said") == "Object 2 is false."
    click_image(browser, 26, 8, panel="plain")
    assert counts(browser) == ("0", "0")
    assert stroke(browser, 2) == before


def test_a_click_on_the_background_marks_a_missed_object(browser):
    begin(browser)
    click_image(browser, 50, 30)
    click_image(browser, 8, 8, shift=True)  # inside the outline of an object
    assert counts(browser) == ("0", "2")
    assert browser.js("document.querySelectorAll('#panels .plain .missed > g').length") == 2
    click_image(browser, 50, 30)  # on the mark
    assert counts(browser) == ("0", "1")


def test_each_act_can_be_undone(browser):
    begin(browser)
    click_image(browser, 26, 8)
    click_image(browser, 50, 30)
    browser.key("Enter")
    assert browser.text("#title").startswith("Image 2 of 3")
    browser.key("u")
    assert browser.text("#title").startswith("Image 1 of 3")
    assert browser.text("#progress") == "0 of 3 done"
    browser.key("z", CONTROL)
    assert counts(browser) == ("1", "0")
    browser.click("#undo")
    assert counts(browser) == ("0", "0")
    browser.key("u")
    assert browser.text("#said") == "There is nothing to undo."


def test_typed_counts_go_before_clicks_and_must_be_counts(browser):
    begin(browser)
    click_image(browser, 26, 8)
    browser.key("f")
    browser.type("4")
    browser.key("Enter")
    assert browser.text("#said") == '"4" is no count: type a whole number from 0 to 3.'
    assert browser.text("#progress") == "0 of 3 done"
    browser.type("3")  # in the place of what was refused
    browser.key("Enter")
    assert browser.text("#progress") == "1 of 3 done"
    browser.key("ArrowLeft")
    assert counts(browser) == ("3", "0")
    assert browser.text("#false-from").startswith("typed; 1 clicked")
    browser.key("f")
    browser.key("Escape")
    assert counts(browser) == ("1", "0")


def test_progress_is_kept_for_each_expert(browser, page):
    begin(browser)
    click_image(browser, 26, 8)
    browser.key("Enter")
    click_image(browser, 50, 30)
    open_again(browser, page)
    assert browser.text("#known button") == f"Go on as {EXPERT} (1 of 3 done)"
    browser.click("#known button")
    assert browser.text("#title").startswith("Image 2 of 3")
    assert counts(browser) == ("0", "1")
    browser.key("ArrowLeft")
    assert counts(browser) == ("1", "0")
    browser.open(page)
    begin(browser, "Ben")
    assert counts(browser) == ("0", "0")
    assert browser.text("#progress") == "0 of 3 done"


def test_another_review_has_its_own_progress(browser, page):
    begin(browser)
    click_image(browser, 26, 8)
    folder = page.parent
    other = folder / "other.html"
    write_review(other, [reviewed(folder / "set", "first")], "another model", "nucleus")
    browser.open(other)
    assert browser.js("document.querySelectorAll('#known button').length") == 0
    begin(browser)
    assert counts(browser) == ("0", "0")


def test_what_is_saved_is_what_was_judged_and_can_be_scored(browser, page, capsys):
    begin(browser)
    click_image(browser, 26, 8)
    click_image(browser, 50, 30)
    click_image(browser, 55, 5)
    browser.key("Enter")
    browser.key("m")
    browser.type("2")
    browser.key("Enter")
    click_image(browser, 8, 8)  # on the third image, which is begun and not done
    browser.key("s")
    assert browser.text("#unfinished").startswith("1 image is not done, 1 of them with marks.")
    browser.click("#save-anyway")
    (path,) = browser.downloaded()
    read = read_saved(path)
    assert read.expert == EXPERT
    assert list(read.lines) == [("set", "first"), ("set", "second"), ("set", "third, with a comma")]
    first, second = read.images
    assert (first.false, first.missed, first.false_objects, first.missed_at) == (1, 2, {2}, ((50, 30), (55, 5)))
    assert (second.false, second.missed, second.missed_at) == (0, 2, ())
    assert main(["review", "score", str(path), "--page", str(page)]) == 0
    said = capsys.readouterr().out
    assert " ".join(said.splitlines()[1].split()).endswith("2 6 1 4 0.833 0.556 0.667 0.500")


def test_the_last_image_leads_to_saving_without_a_question(browser):
    begin(browser)
    for _ in range(3):
        browser.key("Enter")
    assert browser.text("#said").startswith("All images are done.")
    browser.key("Enter")  # on the button that has the focus
    assert browser.downloaded()[0].name.startswith("review-Anna_Mu_ller_MD-")
    assert not browser.js("document.getElementById('ask').open")


def test_zoom_and_contrast_leave_marks_where_they_belong(browser):
    begin(browser)
    for _ in range(3):
        browser.key("+")
    assert browser.text("#zoomed") == "3.4x"
    click_image(browser, 26, 18)
    browser.key("0")
    assert browser.text("#zoomed") == "1.0x"
    saved = browser.js("JSON.parse(localStorage.getItem(localStorage.key(0))).marks[0].missed")
    assert saved == [[26, 18]]
    browser.js("Object.assign(document.getElementById('brightness'), {value: 3}).dispatchEvent(new Event('input'))")
    assert browser.js("getComputedStyle(document.querySelector('.outlined .picture')).filter").startswith(
        "brightness(3)"
    )
    left, top, width, height = browser.box(".outlined .overlay")
    browser.key("+")
    middle = (left + width / 2, top + height / 2)
    browser.drag(middle, (middle[0] - 60, middle[1]))  # moves the image, and marks nothing
    assert counts(browser) == ("0", "1")


def test_all_can_be_done_with_the_keyboard(browser):
    browser.js("document.getElementById('name').focus()")
    browser.type("Ben")
    browser.key("Tab")
    browser.key("Enter")
    for keys in ("f1", "m2", "f3"):
        for key in keys:
            browser.key(key)
        browser.key("Enter")
    browser.key("Enter")  # on the button that saves
    read = read_saved(browser.downloaded()[0])
    assert [(each.false, each.missed) for each in read.images] == [(1, 0), (0, 2), (3, 0)]


def test_a_browser_that_keeps_nothing_says_so_and_saves(chrome, page):
    code = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }})"
    script = chrome.call("Page.addScriptToEvaluateOnNewDocument", source=code)
    for file in chrome.downloads.iterdir():
        file.unlink()
    try:
        chrome.open(page)
        begin(chrome)
        assert chrome.text("#not-kept").startswith("This browser keeps no progress")
        assert not chrome.js("document.getElementById('not-kept').hidden")
        click_image(chrome, 26, 8)
        for _ in range(4):
            chrome.key("Enter")
        assert read_saved(chrome.downloaded()[0]).images[0].false == 1
        assert chrome.js("dispatchEvent(new Event('beforeunload', {cancelable: true}))"), "what is saved may be left"
        click_image(chrome, 50, 30)
        assert not chrome.js("dispatchEvent(new Event('beforeunload', {cancelable: true}))")
        chrome.key("u")
        chrome.key("s")
    finally:
        chrome.call("Page.removeScriptToEvaluateOnNewDocument", **script)


def test_nothing_is_loaded_and_nothing_fails(browser):
    begin(browser)
    addresses = browser.js("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in addresses if not address.startswith("data:")] == []
    assert browser.js("[...document.querySelectorAll('#review input')].every((input) => input.labels.length === 1)")

"""Links and pictures of all pages lead to files and headings of this repository; each page and picture is linked."""

import re

import pytest

from tests.docs.pages import PAGES, name_of, text_of, without_code
from tests.places import REPOSITORY

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MAY_HAVE_NO_LINKS = {"CONTRIBUTING.md", "docs/data.md", "docs/model-card.md"}


def anchors_of(path):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(path):
    """The targets within the repository of a page's links and pictures."""
    targets = LINK.findall(re.sub(r"\[(!\[[^\]]*\]\([^)]+\))\]", r"\1 [x]", without_code(text_of(path))))
    return [target for target in targets if not re.match(r"https?:|mailto:", target)]


def file_of(page, target):
    return (page.parent / target.split("#")[0]).resolve() if target.split("#")[0] else page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_to_a_file_and_to_a_heading(page):
    links = links_of(page)
    assert links or name_of(page) in MAY_HAVE_NO_LINKS or page.parts[-3] == "models"
    for target in links:
        path = file_of(page, target)
        assert path.exists(), f"{target} does not exist"
        assert REPOSITORY in path.parents, f"{target} is not in the repository"
        if "#" in target:
            assert target.split("#")[1] in anchors_of(path), f"{target}: no such heading"


def test_each_page_is_reached_from_the_readme():
    reached, left = set(), [REPOSITORY / "README.md"]
    while left:
        page = left.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            left += [file_of(page, target) for target in links_of(page)]
    assert set(PAGES) <= reached


def test_each_picture_of_the_docs_is_shown():
    pictures = {path for kind in ("png", "svg", "jpg") for path in REPOSITORY.glob(f"docs/**/*.{kind}")}
    shown = {file_of(page, target) for page in PAGES for target in links_of(page)}
    assert len(pictures) > 10
    assert pictures <= shown


def test_links_are_found_and_code_is_no_link():
    text = "[a](b.md) and ![c](d.png#e)\n\n    code [no](no.md)\n\n`[no](no.md)` [f](https://x.y)\n"
    assert LINK.findall(without_code(text)) == ["b.md", "d.png#e", "https://x.y"]


CODE_FOLDERS = ["plugins", "training", "export", "tests", "benchmarks", "bundles", "scripts", "requirements", "docs"]
IN_CODE_FOLDERS = re.compile(rf"`((?:{'|'.join(CODE_FOLDERS)})/[\w.<>*/-]*)`")
FILE_NAME = re.compile(r"`([\w-]+\.(?:py|md|sh|toml|cff))`")


def is_there(name):
    """Whether a name, with ``<name>`` or ``*`` for any, is a file or folder of the repository."""
    return bool(list(REPOSITORY.glob(re.sub(r"<\w+>", "*", name.rstrip("/")))))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_file_and_folder_of_the_code_that_a_page_names_exists(page):
    names = IN_CODE_FOLDERS.findall(text_of(page))
    assert [name for name in names if not is_there(name)] == []


def test_each_file_that_contributing_names_without_its_folder_exists():
    text = text_of(REPOSITORY / "CONTRIBUTING.md")
    assert len(IN_CODE_FOLDERS.findall(text)) > 5
    for name in FILE_NAME.findall(text):
        assert is_there(name) or any(is_there(f"{folder}/**/{name}") for folder in CODE_FOLDERS), name

"""Write the picture of docs/review.md: a page of `cpunet review make` in Chromium, with some marks.

    cpunet review make data/bbbc039 --labels evaluation/labels/nuclei_fluorescence --number 6 -o review.html
    python -m scripts.write_review_picture review.html

The images of BBBC039 are in the public domain (CC0).
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser import Browser

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "review.png"
WINDOW = (1280, 690)
COLORS = 256
# Where the first image is clicked, as shares of its width and height: a fragment, and specks without an outline.
CLICKS = ((0.534, 0.508), (0.404, 0.348), (0.376, 0.328))


def main(page: Path) -> None:
    """Open the page, mark some objects, and write what is seen."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder), WINDOW)
        try:
            browser.open(page)
            browser.click("#name")
            browser.type("Anna")
            browser.key("Enter")
            browser.until("!document.getElementById('review').hidden")
            for x, y in CLICKS:
                left, top, width, height = browser.box(".outlined .picture image")
                browser.click_at(left + x * width, top + y * height)
            shot = Path(folder) / "shot.png"
            browser.screenshot(shot)
        finally:
            browser.close()
        with Image.open(shot) as photograph:
            photograph.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

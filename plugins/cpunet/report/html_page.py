"""HTML pages that open offline: one file, with every picture inside."""

from __future__ import annotations

import base64
import importlib.util
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cpunet.errors import ReportError
from cpunet.files.images import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# page.html, which brings the style, and the packages with the templates that extend it.
BASE, TEMPLATES = "cpunet.report", "templates"
JPEG_QUALITY = 80
FOR_CHARTS = ("jinja2", "matplotlib")


def picture_uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture (Y, X) or (Y, X, 3), uint8, as a data URI that holds a PNG."""
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, "PNG", optimize=True)
    return _data_uri("image/png", stream.getvalue())


def photo_uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture (Y, X, 3), uint8, as a data URI that holds a JPEG: a fifth of a PNG's size where there is noise.

    Colors are kept at each pixel, so that thin lines stay sharp.
    """
    stream = io.BytesIO()
    gray = (picture[..., :1] == picture).all()
    shown = PIL.Image.fromarray(picture[..., 0] if gray else picture)
    shown.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return _data_uri("image/jpeg", stream.getvalue())


def figure_uri(figure: Figure) -> str:
    """Return a matplotlib figure as a data URI that holds an SVG.

    Make it by ``Figure(...)``: pyplot would keep it in memory and look for a screen.
    """
    import matplotlib

    stream = io.BytesIO()
    # Without a date, and with a fixed salt instead of random names, the same figures give the same page.
    with matplotlib.rc_context({"svg.hashsalt": "cpunet"}):
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None})
    return _data_uri("image/svg+xml", stream.getvalue())


def check_packages(names: Sequence[str] = FOR_CHARTS) -> None:
    """Raise ReportError if a package is missing that a page needs; by default one with charts."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ReportError(
            f"A page needs {' and '.join(missing)}, which this Python does not have. Install it: "
            f'"{sys.executable}" -m pip install {" ".join(missing)}'
        )


def write_page(path: Path, package: str, template: str, content: Mapping[str, Any]) -> None:
    """Fill in a template and write the page whole or not at all, with a mark at its end.

    Parameters
    ----------
    path : Path
        Ends in ``.html``; its folder is made.
    package, template : str
        A file in the folder templates of a package, such as ``evaluation.html`` of ``cpunet.training``. It may extend
        ``page.html``, which brings the style.
    content : mapping of str to object
        The template's variables. Texts are escaped: a file name cannot become markup.
    """
    import jinja2

    folders = jinja2.ChoiceLoader([jinja2.PackageLoader(each, TEMPLATES) for each in (package, BASE)])
    environment = jinja2.Environment(loader=folders, autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.get_template(template).render(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

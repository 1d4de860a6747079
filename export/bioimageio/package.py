"""Write a model as a bioimage.io package, format 0.5, and let it pass only if bioimageio.core's own test does."""

from __future__ import annotations

import gc
import hashlib
import io
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL.Image
import yaml
from bioimageio.spec import dump_description
from numpy.typing import NDArray

from cpunet.checks.synthetic import normalize_together, synthetic_field
from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.errors import ModelError, PackageError
from cpunet.export.bioimageio.description import (
    COVER,
    DOCUMENTATION,
    RDF,
    TEST_INPUT,
    TEST_OUTPUT,
    WEIGHTS,
    description,
    smallest_shape,
)
from cpunet.export.put_in_place import put_in_place
from cpunet.export.readme import decoding, model_readme
from cpunet.files.mark import PROGRAM
from cpunet.files.overlay import draw_outlines, picture
from cpunet.model.axes import least_sizes
from cpunet.model.card import VOLUMES, InputCard, ModelCard
from cpunet.model.session import OnnxModel, open_model
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.volumes.segment_volume import segment_volume

# Of images; planes and side of volumes.
SMALLEST_TEST_SIDE, SMALLEST_TEST_VOLUME = 256, (8, 64)
DRAWN_WHITE, HOT = 255, 40


def write_bioimageio(onnx_path: Path, zip_path: Path, sample_image: NDArray[Any] | None = None) -> None:
    """Write a package with the weights, test tensors, a cover picture and documentation.

    Parameters
    ----------
    onnx_path : Path
        With a model card. A README.md beside it that names the model becomes the documentation; without one it is
        written from the card.
    zip_path : Path
        Ends in ``.zip``; its folder is made, an older file is replaced.
    sample_image : ndarray of shape (Y, X) or (Y, X, C), any real dtype, optional
        The middle of it is the test input and the cover. Synthetic nuclei by default.

    Raises
    ------
    ModelError
        If the model cannot be opened, or the image does not fit it.
    PackageError
        If bioimageio.core refuses the package, or does not turn its test input into its test output.

    Notes
    -----
    The test output is computed by cpunet's own normalization and session, so that bioimageio.core's test compares
    two implementations of the preprocessing. Nothing is downloaded. The same model and image give the same
    bytes on the same machine.
    """
    if zip_path.suffix != ".zip":
        raise ModelError(f"{zip_path}: the name of a package must end in .zip.")
    file = read_model_file(onnx_path)  # once: the package holds the very bytes that are run
    model = open_model(file, device="cpu")
    image = middle_of(model.card, sample_image)
    files = package_files(file, model, image)
    with put_in_place(zip_path, zipped(files)) as beside:
        check_package(beside)


def package_files(file: ModelFile, model: OnnxModel, image: NDArray[np.float32]) -> dict[str, bytes]:
    """Make all files of a package, by name; `image` (C, Y, X) or (C, Z, Y, X), float32, is the test input."""
    card = model.card
    expected = model.predict(normalize_together(image, card.input.normalization)[np.newaxis])
    files = {
        WEIGHTS: file.content,
        TEST_INPUT: _npy(image[np.newaxis]),
        TEST_OUTPUT: _npy(expected),
        COVER: cover_picture(model, image),
        DOCUMENTATION: documentation(file, card).encode(),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    network = onnx.load_from_string(files[WEIGHTS])
    opset = max(entry.version for entry in network.opset_import if entry.domain in ("", "ai.onnx"))
    weights = {tensor.name for tensor in network.graph.initializer}
    given = next(value for value in network.graph.input if value.name not in weights)
    one_at_a_time = given.type.tensor_type.shape.dim[0].dim_value == 1
    content = dump_description(description(card, sums, opset, one_at_a_time))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return {RDF: text.encode(), **files}


def middle_of(card: ModelCard, sample: NDArray[Any] | None) -> NDArray[np.float32]:
    """Cut a test input (C, Y, X), or (C, Z, Y, X), float32, from the middle of an image or volume, or draw it.

    It is a square, or has the only height and width that the network takes.
    """
    channels, dimensions = len(card.input.channels), card.input.dimensions
    smallest = (
        least_sizes(card.input, *SMALLEST_TEST_VOLUME)
        if dimensions == VOLUMES
        else least_sizes(card.input, side_px=SMALLEST_TEST_SIDE)
    )
    shape = card.input.tile_shape or tuple(map(max, smallest_shape(card), smallest))
    if sample is None:
        return _drawn(card.input, shape)
    planes = np.asarray(sample, np.float32)
    planes = planes[np.newaxis] if planes.ndim == dimensions else np.moveaxis(planes, -1, 0)
    if planes.ndim == 1 + dimensions and planes.shape[0] == 1:
        planes = np.repeat(planes, channels, axis=0)
    if planes.ndim != 1 + dimensions or planes.shape[0] != channels or not np.isfinite(planes).all():
        wanted = "a volume (Z, Y, X) or (Z, Y, X, C)" if dimensions == VOLUMES else "an image (Y, X) or (Y, X, C)"
        raise ModelError(
            f"The sample image has the shape {np.shape(sample)}, and the model takes {', '.join(card.input.channels)}. "
            f"Give {wanted} with as many channels, all of whose values are numbers."
        )
    for axis, side in enumerate(shape, start=1):
        missing = max(0, side - planes.shape[axis])
        widths = [(0, 0)] * planes.ndim
        widths[axis] = (missing // 2, missing - missing // 2)
        planes = np.pad(planes, widths, mode="symmetric")
        start = (planes.shape[axis] - side) // 2
        planes = np.take(planes, np.arange(start, start + side), axis=axis)
    return np.ascontiguousarray(planes)


def _drawn(given: InputCard, shape: Sequence[int]) -> NDArray[np.float32]:
    """Draw nuclei so that each part of the normalization shows: channels differ in contrast, and one pixel is hot.

    Without a normalization, no pixel is brighter than the model's units allow.
    """
    diameter = min(given.diameter_px, min(shape[-2:]) / 3)
    if given.dimensions == VOLUMES:
        assert given.z_step_px is not None  # the card of a model of volumes has one
        field = synthetic_volume(shape, diameter, given.z_step_px, touching=True).image
    else:
        columns = max(1, int(shape[1] / (2.4 * given.diameter_px)))
        field = synthetic_field((shape[0], shape[1]), columns, diameter, touching=True).image
    white = DRAWN_WHITE
    if given.normalization.kind == "none" and given.normalization.units != "as_stored":
        white = 1
    else:
        field[(0,) * field.ndim] = HOT
    contrast = white / (1 + 0.25 * np.arange(len(given.channels)).reshape(-1, *(1,) * field.ndim))
    steps = DRAWN_WHITE / white
    return (np.round(field * contrast * steps) / steps).astype(np.float32)


def cover_picture(model: OnnxModel, image: NDArray[np.float32]) -> bytes:
    """Show the test input, or the middle plane of a volume, with the outlines of the objects that cpunet finds in it.

    The bytes of a PNG file.
    """
    options = Options(diameter_px=model.card.input.diameter_px)
    if model.card.input.dimensions == VOLUMES:
        middle = image.shape[1] // 2
        labels = segment_volume(np.moveaxis(image, 0, -1), model, options).labels[middle]
        image = image[:, middle]
    else:
        labels = segment_image(np.moveaxis(image, 0, -1), model, options).labels
    shown = np.moveaxis(image, 0, -1) if image.shape[0] == 3 else image.mean(axis=0)
    buffer = io.BytesIO()
    PIL.Image.fromarray(draw_outlines(picture(shown), labels)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def documentation(file: ModelFile, card: ModelCard) -> str:
    """Return the model's README, and what a user of other programs than cpunet must know beside it."""
    readme = file.path.with_name(DOCUMENTATION)
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    if card.name not in text:  # it is about something else
        text = model_readme(card, {WEIGHTS: file.sha256})
    given = card.input
    image, rescaled, by_step = "image", "rescale an image", ""
    if given.dimensions == VOLUMES:
        image, rescaled = "volume", "resample a volume"
        by_step = f"Planes must lie {given.z_step_px:g} times as far apart as pixels. "
    return f"""{text.rstrip()}

## In other programs than cpunet

The package gives {len(card.output.roles)} channel{"s" if len(card.output.roles) > 1 else ""} of values from 0 to 1: \
{", ".join(card.output.roles)}. It ends there, as the format has no step that makes objects
of them as cpunet does ({decoding(card)}). Nor does it {rescaled}: enlarge or shrink yours so that its objects
have a diameter of {given.diameter_low_px:g} to {given.diameter_high_px:g} pixels, best {given.diameter_px:g}. \
{by_step}Percentiles are those of the whole {image}, so normalize it
before it is cut into tiles.

## Validation of your own results

Label some images by hand that the model has not seen, and count how many objects it finds with an IoU of 0.7 or more.
`cpunet evaluate` does so, and writes a report.
"""


def _npy(values: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, np.float32))
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """Make a zip archive whose bytes depend on the files alone, not on the clock."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = PROGRAM.encode("ascii")  # that a later export may replace it
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def check_package(path: Path) -> None:
    """Let bioimageio.core check a package's format and sums, and run its test.

    Raises
    ------
    PackageError
        With what bioimageio found.
    """
    from bioimageio.core import test_model  # takes seconds to import, and is needed here alone

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # bioimageio.spec leaves closing its files to the garbage collection, and Windows removes none that is open.
        warnings.simplefilter("ignore", ResourceWarning)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        summary = test_model(Path(folder) / RDF, devices=["cpu"])
        found = [f"{detail.name}: {error.msg}" for detail in summary.details for error in detail.errors]
        passed = summary.status == "passed"
        del summary
        gc.collect()
    if not passed:
        raise PackageError(f"bioimageio.core refuses the package: {'; '.join(found) or 'it does not say why'}")

"""Check that a model file keeps its promises, from the outside in: each check has its own message."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.halo import NOTICEABLE, reach_of_impulse
from cpunet.checks.stored_test import STORED_TEST_KEY, stored_test_from_json, synthetic_input
from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.metadata import read_card, read_metadata, read_versions
from cpunet.onnx_reader.safety import check_onnx
from cpunet.steps.tiling import Predict, predict_tiled

# The newest onnxruntime for CellProfiler's Python, 1.19.2, loads at most these by its release notes; the models that
# `cpunet export` writes stay at 17 and 8, which older releases load too.
NEWEST_OPSET, NEWEST_IR = 21, 10
# Tiles see zeros where the image goes on: what lies beyond the halo moves a probability by less than a thousandth,
# but all of it together can move it by more.
TILED = Tolerance(rtol=0.0, atol=0.02, mismatched_per_million=100)
# What float32 may leave beyond 0 or 1.
BEYOND_0_TO_1 = 1e-3


class CheckResult(NamedTuple):
    """What one check found.

    Attributes
    ----------
    check : str
    passed : bool
    text : str
        What was measured, or the reason of the failure.
    """

    check: str
    passed: bool
    text: str


@dataclass(frozen=True)
class Reference:
    """Another program that computes the same network, such as torch on the weights that it was exported from.

    Attributes
    ----------
    name : str
    predict : callable
        Turns (N, C, Y, X) into probabilities.
    """

    name: str
    predict: Predict


Check = Callable[[], str]


def verify_model(path: Path, reference: Optional[Reference] = None) -> Iterator[CheckResult]:
    """Check a model file, and stop at the first check that fails, as the others rely on it.

    Parameters
    ----------
    path : Path
    reference : Reference, optional
        Compared with, besides the test that the file carries.

    Yields
    ------
    CheckResult
        In this order: is it ONNX that is safe to open, its opset and IR version, the card, the names and numbers of
        input and output, the shapes for several sizes and batches, the values of the stored test (and the reference's),
        tiles against the whole, the halo.

    Notes
    -----
    Runs on the CPU with all cores. Takes some seconds for a U-Net.
    """
    checks: List[Tuple[str, Check]] = [
        ("ONNX", functools.partial(_check_file, path)),
        ("opset and IR", functools.partial(_check_versions, path)),
        ("card", functools.partial(_check_card, path)),
        ("names", functools.partial(_check_names, path)),
        ("shapes", lambda: _check_shapes(load_model(path, "cpu"))),
        ("stored test", lambda: _check_stored_test(load_model(path, "cpu"))),
    ]
    if reference is not None:
        checks.append((f"values of {reference.name}", lambda: _check_reference(load_model(path, "cpu"), reference)))
    checks += [
        ("tiles", lambda: _check_tiles(load_model(path, "cpu"))),
        ("halo", lambda: _check_halo(load_model(path, "cpu"))),
    ]
    for name, check in checks:
        try:
            text = check()
        except (ModelError, DisagreementError) as error:
            yield CheckResult(name, False, str(error))
            return
        yield CheckResult(name, True, text)


def inputs_to_try(model: OnnxModel) -> Iterator[npt.NDArray[np.float32]]:
    """Make noise of several shapes that a network must take.

    Parameters
    ----------
    model : OnnxModel

    Yields
    ------
    ndarray of shape (N, C, Y, X), float32
        0..1; batches of one and two, wide and high ones.
    """
    given = model.card.input
    rng = np.random.default_rng(0)
    unit = given.divisible_by
    side = -(-max(given.min_size, 4 * unit) // unit) * unit
    for batch, height, width in ((1, side, side), (2, side, side + 3 * unit), (1, side + 7 * unit, side)):
        yield rng.random((batch, len(given.channels), height, width), np.float32)


def _check_file(path: Path) -> str:
    read_metadata(path)
    check_onnx(path)
    return f"{path.stat().st_size / 1e6:.2f} MB in one file, standard operators only"


def _check_versions(path: Path) -> str:
    ir, opset = read_versions(path)
    if opset > NEWEST_OPSET or ir > NEWEST_IR:
        raise ModelError(
            f"{path}: opset {opset} and IR version {ir}; the newest onnxruntime for CellProfiler's Python (1.19.2) "
            f"loads at most {NEWEST_OPSET} and {NEWEST_IR}. Export the network again with opset_version=17, or convert "
            "the file with onnx.version_converter."
        )
    return f"opset {opset}, IR version {ir}"


def _check_card(path: Path) -> str:
    card = read_card(path)
    return f"{card.name} {card.version}: {', '.join(card.input.channels)} in, {', '.join(card.output.roles)} out"


def _check_names(path: Path) -> str:
    model = load_model(path, "cpu")
    return f"{len(model.card.input.channels)} in, {len(model.card.output.roles)} out; batch, height and width are free"


def _check_shapes(model: OnnxModel) -> str:
    tried = []
    for image in inputs_to_try(model):
        found = model.predict(image)
        _check_range(model, found)
        if len(image) > 1:
            alone = np.concatenate([model.predict(image[place : place + 1]) for place in range(len(image))])
            check_agreement(found, alone, Tolerance(), "a batch of two and its images one by one")
        tried.append("x".join(str(size) for size in image.shape))
    odd = next(inputs_to_try(model))[0][:, :-1, :-3]
    _check_range(model, _tiled(model, odd, odd.shape[1:]))
    tried.append("x".join(str(size) for size in (1, *odd.shape)))
    return ", ".join(tried)


def _check_range(model: OnnxModel, found: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(found).all():
        raise ModelError(f"{model.path}: the network returns values that are no numbers, on noise between 0 and 1.")
    if found.min() < -BEYOND_0_TO_1 or found.max() > 1 + BEYOND_0_TO_1:
        raise ModelError(
            f"{model.path}: the network returns values from {found.min():.3g} to {found.max():.3g}; probabilities lie "
            "between 0 and 1. Export it with its sigmoid or softmax inside."
        )


def _check_stored_test(model: OnnxModel) -> str:
    text = read_metadata(model.path).get(STORED_TEST_KEY)
    if text is None:
        raise ModelError(
            f"{model.path}: the file carries no test (an input with its output). `cpunet export` and `cpunet card add` "
            "write one into it."
        )
    test = stored_test_from_json(text)
    given = model.card.input
    _, channels, height, width = test.input.shape
    if channels != len(given.channels) or height % given.divisible_by or width % given.divisible_by:
        raise ModelError(
            f"{model.path}: the stored test's input has the shape {test.input.shape}, which does not fit the card "
            f"({len(given.channels)} channels, sides divisible by {given.divisible_by}). Export the model again."
        )
    difference = check_agreement(model.predict(test.input), test.output, Tolerance(), "the network and its stored test")
    return f"agrees within {difference:.1e} ({Tolerance()})"


def _check_reference(model: OnnxModel, reference: Reference) -> str:
    largest = 0.0
    for image in (synthetic_input(model.card.input), *inputs_to_try(model)):
        found, expected = model.predict(image), reference.predict(image)
        largest = max(largest, check_agreement(found, expected, Tolerance(), f"onnxruntime and {reference.name}"))
    return f"agree within {largest:.1e} ({Tolerance()})"


def _check_tiles(model: OnnxModel) -> str:
    given, halo = model.card.input, model.card.output.halo
    unit = given.divisible_by
    tile = max(-(-given.min_size // unit), 2 * -(-halo // unit) + 4) * unit
    shape = (tile + 3 * unit, tile + unit)
    # Nuclei, as a network may see nothing at all in noise.
    columns = max(2, int(shape[1] / (2 * given.diameter_px)))
    fields = [
        synthetic_field(shape, columns, given.diameter_px, seed=seed).image for seed in range(len(given.channels))
    ]
    image = np.stack(fields).astype(np.float32)
    whole = _tiled(model, image, image.shape[1:])
    difference = check_agreement(_tiled(model, image, (tile, tile)), whole, TILED, "tiles and the whole")
    return f"tiles of {tile} pixels agree with the whole within {difference:.1e} ({TILED})"


def _tiled(model: OnnxModel, image: npt.NDArray[np.float32], tile: Tuple[int, ...]) -> npt.NDArray[np.float32]:
    given, given_back = model.card.input, model.card.output
    return predict_tiled(
        image,
        model.predict,
        len(given_back.roles),
        (tile[0], tile[1]),
        given_back.halo,
        given.divisible_by,
        given.min_size,
    )


def _check_halo(model: OnnxModel) -> str:
    given = model.card.input
    # Twice what export measures with, so that the rounding of another onnxruntime does not decide.
    reach = reach_of_impulse(
        model.predict, len(given.channels), given.divisible_by, given.min_size, noticeable=2 * NOTICEABLE
    )
    if reach > model.card.output.halo:
        raise ModelError(
            f"{model.path}: the network looks {reach} pixels far, and its card promises a halo of "
            f"{model.card.output.halo}: objects at the edges of tiles would change. Export the model again, or set the "
            f"halo with `cpunet card edit --set output.halo={reach}`."
        )
    return f"{model.card.output.halo} pixels; an impulse is noticed at most {reach} pixels far"

"""Check that a model file does what its card promises, one check after the other."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

from cpunet.checks import verify_instances, verify_volumes
from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.halo import NOTICEABLE, largest_halo, reach_of_impulse
from cpunet.checks.stored_test import STORED_TEST_KEY, run_stored_test
from cpunet.checks.synthetic import synthetic_field, synthetic_input
from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.axes import halos, least_sizes, units
from cpunet.model.card import INSTANCES, VOLUMES
from cpunet.model.instances import OUTPUTS
from cpunet.model.session import OnnxModel, open_model
from cpunet.onnx_reader.metadata import card_in, check_is_no_chooser, metadata_of, versions_of
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.onnx_reader.safety import check_onnx
from cpunet.steps.predict import predict_in_tiles
from cpunet.volumes.predict import predict_in_tiles_of_volume

# By its release notes, the newest onnxruntime for CellProfiler's Python, 1.19.2, loads at most these. `cpunet export`
# writes 17 and 8, which older releases load too.
NEWEST_OPSET, NEWEST_IR = 21, 10
# Tiles see zeros where the image continues. Each pixel beyond the halo moves a probability by less than a thousandth,
# but all of them together can move it by more.
TILED = Tolerance(rtol=0.0, atol=0.02, mismatched_per_million=100)

Subject = TypeVar("Subject")


class CheckResult(NamedTuple):
    """What one check found; `text` holds the measured values, or the reason of the failure."""

    check: str
    passed: bool
    text: str


@dataclass(frozen=True)
class Reference:
    """Another program that computes the same network, such as torch with the weights that were exported.

    `predict` turns (N, C, Y, X) into probabilities, or one image into `cpunet.model.instances.Instances`, as the model.
    """

    name: str
    predict: Callable[[npt.NDArray[np.float32]], Any]


def verify_model(path: Path, reference: Optional[Reference] = None) -> Iterator[CheckResult]:
    """Check a model file, and stop at the first check that fails, because the others rely on it.

    Parameters
    ----------
    path : Path
    reference : Reference, optional
        Compared with the network in addition to the stored test.

    Yields
    ------
    CheckResult
        In this order: whether it is ONNX that is safe to open; its opset and IR version; the card; the names and
        numbers of inputs and outputs; the shapes for several sizes and batches; the values of the stored test, and of
        the reference; tiles against the whole image; the halo; of volumes also whether the same volume gives the same
        again, and the memory.

    Notes
    -----
    Runs on the CPU with all cores. Takes some seconds for a U-Net.
    """
    try:
        file = read_model_file(path)  # once, so that all checks look at the same bytes
    except ModelError as error:
        yield CheckResult(FILE_CHECKS[0][0], False, str(error))
        return
    for name, check_file in FILE_CHECKS:
        result = _result(name, check_file, file)
        yield result
        if not result.passed:
            return
    model = open_model(file, "cpu")  # the last of these checks has opened it
    of_objects = model.card.output.kind == INSTANCES
    model_checks: List[Tuple[str, Callable[[OnnxModel], str]]] = [
        ("shapes", verify_instances.check_shapes if of_objects else _check_shapes),
        ("stored test", functools.partial(_check_stored_test, file)),
        *(verify_instances.CHECKS if of_objects else MODEL_CHECKS),
        *(verify_volumes.CHECKS if model.card.input.dimensions == VOLUMES else ()),
    ]
    if reference is not None:
        compare = functools.partial(_check_reference, reference)
        if of_objects:
            compare = functools.partial(verify_instances.check_reference, reference.name, reference.predict)
        model_checks.insert(2, (f"values of {reference.name}", compare))
    for name, check in model_checks:
        result = _result(name, check, model)
        yield result
        if not result.passed:
            return


def _result(name: str, check: Callable[[Subject], str], subject: Subject) -> CheckResult:
    try:
        return CheckResult(name, True, check(subject))
    except (ModelError, DisagreementError) as error:
        return CheckResult(name, False, str(error))


def _noise(model: OnnxModel) -> Iterator[npt.NDArray[np.float32]]:
    """Yield noise, 0..1, in shapes that a network must take: batches of one and two, wide and high; volumes also deep.

    A network that takes one height and width only gets no other.
    """
    given = model.card.input
    rng = np.random.default_rng(0)
    unit = given.divisible_by
    *planes, side, _ = least_sizes(given, 2 * given.divisible_by_planes, 4 * unit)
    deeper = [size + 3 * given.divisible_by_planes for size in planes]
    shapes = [(1, *planes, side, side), (2, *planes, side, side + 3 * unit), (1, *deeper, side + 7 * unit, side)]
    if given.tile_shape is not None:
        shapes = [(batch, *given.tile_shape) for batch in (1, 2)]
    for batch, *sizes in shapes:
        yield rng.random((batch, len(given.channels), *sizes), np.float32)


def _check_file(file: ModelFile) -> str:
    check_is_no_chooser(file.path, metadata_of(file))
    check_onnx(file)
    return f"{len(file.content) / 1e6:.2f} MB in one file, standard operators only"


def _check_versions(file: ModelFile) -> str:
    ir, opset = versions_of(file)
    if opset > NEWEST_OPSET or ir > NEWEST_IR:
        raise ModelError(
            f"{file.path}: opset {opset} and IR version {ir}; the newest onnxruntime for CellProfiler's Python (1.19.2)"
            f" loads at most {NEWEST_OPSET} and {NEWEST_IR}. Export the network again with opset_version=17, or "
            "convert the file with onnx.version_converter."
        )
    return f"opset {opset}, IR version {ir}"


def _check_card(file: ModelFile) -> str:
    card = card_in(file.path, metadata_of(file))
    gives = "objects" if card.output.kind == INSTANCES else ", ".join(card.output.roles)
    of_what = " (3-D)" if card.input.dimensions == VOLUMES else ""
    return f"{card.name} {card.version}{of_what}: {', '.join(card.input.channels)} in, {gives} out"


def _check_names(file: ModelFile) -> str:
    model = open_model(file, "cpu")
    free = "batch, height and width are free"
    if model.card.input.dimensions == VOLUMES:
        free = "batch, depth, height and width are free"
    if model.card.input.tile_shape is not None:
        free = "tiles of {} x {} pixels alone".format(*model.card.input.tile_shape)
    if model.card.output.kind == INSTANCES:
        return f"{len(model.card.input.channels)} in, {', '.join(OUTPUTS)} out; one image at a time"
    return f"{len(model.card.input.channels)} in, {len(model.card.output.roles)} out; {free}"


def _check_shapes(model: OnnxModel) -> str:
    tried = []
    for image in _noise(model):
        found = model.predict(image)
        if len(image) > 1:
            alone = np.concatenate([model.predict(image[place : place + 1]) for place in range(len(image))])
            check_agreement(found, alone, Tolerance(), "a batch of two and its images one by one")
        tried.append("x".join(str(size) for size in image.shape))
    whole = next(_noise(model))[0]
    *_, height, width = whole.shape
    odd = [whole[..., : height - 1, : width - 3]]
    if model.card.input.dimensions == VOLUMES:
        odd.append(whole[:, :1, : height - 1, : width - 3])  # one plane
    for image in odd:
        _in_tiles(image, model, image.shape[1:])
        tried.append("x".join(str(size) for size in (1, *image.shape)))
    return ", ".join(tried)


def _in_tiles(image: npt.NDArray[np.float32], model: OnnxModel, tile_shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """Predict (C, Y, X) or (C, Z, Y, X) in tiles of at most this shape, by the path that the module runs."""
    if model.card.input.dimensions == VOLUMES:
        planes, height, width = tile_shape
        return predict_in_tiles_of_volume(image, model, planes, (height, width))
    height, width = tile_shape
    return predict_in_tiles(image, model, (height, width))


def _check_stored_test(file: ModelFile, model: OnnxModel) -> str:
    text = metadata_of(file).get(STORED_TEST_KEY)
    if text is None:
        raise ModelError(
            f"{model.path}: the file carries no test (an input with its output). `cpunet export` and `cpunet card add` "
            "write one into it."
        )
    return f"agrees within {run_stored_test(text, model, model.path)}"


def _check_reference(reference: Reference, model: OnnxModel) -> str:
    largest = 0.0
    for image in (synthetic_input(model.card.input), *_noise(model)):
        found, expected = model.predict(image), reference.predict(image)
        largest = max(largest, check_agreement(found, expected, Tolerance(), f"onnxruntime and {reference.name}"))
    return f"agree within {largest:.1e} ({Tolerance()})"


def _check_tiles(model: OnnxModel) -> str:
    given = model.card.input
    if given.tile_shape is not None:
        return _check_tiles_of_one_shape(model, given.tile_shape)
    unit = units(given)
    tile = [
        max(-(-least // step), 2 * halo // step + 4) * step
        for least, step, halo in zip(least_sizes(given), unit, halos(model.card))
    ]
    shape = [side + more * step for side, more, step in zip(tile, (3,) * (len(tile) - 1) + (1,), unit)]
    image = _nuclei(model, shape)
    whole = _in_tiles(image, model, shape)
    difference = check_agreement(_in_tiles(image, model, tile), whole, TILED, "tiles and the whole")
    sizes = "{} planes of {} x {}".format(*tile) if given.dimensions == VOLUMES else f"{tile[0]}"
    return f"tiles of {sizes} pixels agree with the whole within {difference:.1e} ({TILED})"


def _nuclei(model: OnnxModel, shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """Draw nuclei (C, Y, X) or (C, Z, Y, X), because a network may see nothing at all in noise."""
    given = model.card.input
    if given.dimensions == VOLUMES:
        assert given.z_step_px is not None  # the card of a model of volumes has one
        fields = [
            synthetic_volume(shape, given.diameter_px, given.z_step_px, seed=seed).image
            for seed in range(len(given.channels))
        ]
    else:
        height, width = shape
        columns = max(2, int(width / (2 * given.diameter_px)))
        fields = [
            synthetic_field((height, width), columns, given.diameter_px, seed=seed).image
            for seed in range(len(given.channels))
        ]
    return np.stack(fields).astype(np.float32)


def _check_tiles_of_one_shape(model: OnnxModel, tile: Sequence[int]) -> str:
    """Compare the tiles of an image with one tile that was cut from the middle of it."""
    unit = model.card.input.divisible_by
    shift = -(-min(tile) // 3 // unit) * unit
    shape = (tile[0] + 2 * shift, tile[1] + 2 * shift)
    image = _nuclei(model, shape)
    halo = -(-model.card.output.halo // unit) * unit
    inner_y, inner_x = (slice(halo, side - halo) for side in tile)
    alone = model.predict(image[np.newaxis, :, shift : shift + tile[0], shift : shift + tile[1]])[0]
    tiled = predict_in_tiles(image, model, shape)[:, shift : shift + tile[0], shift : shift + tile[1]]
    difference = check_agreement(
        tiled[:, inner_y, inner_x], alone[:, inner_y, inner_x], TILED, "tiles, and a tile of another place,"
    )
    return f"tiles of {tile[0]} x {tile[1]} pixels agree with another within {difference:.1e} ({TILED})"


def _check_halo(model: OnnxModel) -> str:
    given = model.card.input
    if given.dimensions == VOLUMES:
        return verify_volumes.check_halo(model)
    # Twice the threshold of export, so that the rounding of another onnxruntime does not decide.
    reach = reach_of_impulse(
        model.predict,
        len(given.channels),
        given.divisible_by,
        given.min_size,
        noticeable=2 * NOTICEABLE,
        only_shape=given.tile_shape,
    )
    enough = reach if given.tile_shape is None else min(reach, largest_halo(given.tile_shape, given.divisible_by))
    if enough > model.card.output.halo:
        raise ModelError(
            f"{model.path}: the network sees {reach} pixels far, and its card promises a halo of "
            f"{model.card.output.halo}: objects at the edges of tiles would change. Export the model again, or set the "
            f"halo with `cpunet card edit --set output.halo={enough}`."
        )
    return f"{model.card.output.halo} pixels; an impulse is noticed at most {reach} pixels far"


FILE_CHECKS: Sequence[Tuple[str, Callable[[ModelFile], str]]] = (
    ("ONNX", _check_file),
    ("opset and IR", _check_versions),
    ("card", _check_card),
    ("names", _check_names),
)
MODEL_CHECKS: Sequence[Tuple[str, Callable[[OnnxModel], str]]] = (
    ("tiles", _check_tiles),
    ("halo", _check_halo),
)

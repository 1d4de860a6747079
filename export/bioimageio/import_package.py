"""Turn a bioimage.io package into a model file: its ONNX weights, with its steps inside and a card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr
from numpy.typing import NDArray

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.halo import FIELD_PX, largest_halo, reach_along_axes, reach_in_field, reach_of_impulse
from cpunet.checks.halo_of_volumes import LARGEST_FIELD, VolumeHalo, reach_in_volumes
from cpunet.checks.stored_test import MOST_VALUES, STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.checks.synthetic import normalize_together
from cpunet.errors import DisagreementError, ModelError
from cpunet.export.bioimageio.archive import Package, read_file
from cpunet.export.bioimageio.description import preprocessing
from cpunet.export.bioimageio.inputs_outputs import Contract, read_contract, units_of
from cpunet.export.bioimageio.operators import with_steps
from cpunet.export.bioimageio.tensors import Layout, as_ours
from cpunet.export.card.add import with_answers, with_tile
from cpunet.export.card.fields import field_value, flattened, with_field
from cpunet.export.card.file import check_runs, checked_card, network
from cpunet.export.put_in_place import errors_name, put_in_place
from cpunet.model.axes import round_up, units
from cpunet.model.card import METADATA_KEY, VOLUMES, ModelCard, card_to_json
from cpunet.model.card_limits import card_from_json
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.model_file import LARGEST_FILE_BYTES, read_model_file
from cpunet.onnx_reader.safety import check_contents
from cpunet.onnx_reader.write_metadata import with_metadata

# What the format itself allows, unless a package says otherwise; a binarized pixel may fall to the other side.
AS_THE_FORMAT = Tolerance(rtol=1e-3, atol=1e-3, mismatched_per_million=100)
STRICT = Tolerance()
HALOS = ("output.halo", "output.halo_planes")
LARGEST_TENSOR_BYTES = 2**26
# What a network makes of a larger test image may not fit into the memory.
MOST_TENSOR_VALUES = 2**23


def import_package(package: Package, output: Path, answers: Mapping[str, Any]) -> list[str]:
    """Write the model file, once it turns the package's test input into its test output.

    Parameters
    ----------
    package : Package
    output : Path
        Ends in ``.onnx``; its folder is made.
    answers : mapping
        The card's content as far as somebody answered for it; wins over the description.

    Returns
    -------
    list of str
        What was found out beside the package's and the user's answers, a sentence each.

    Raises
    ------
    ModelError
        If the package's steps are not implemented, its weights cannot be used, an answer is missing, or the test
        output is not reproduced. Nothing is written then.
    """
    if output.suffix != ".onnx":
        raise ModelError(f"{output}: the name of a model file must end in .onnx.")
    if package.path.is_dir() and output.resolve().is_relative_to(package.path.resolve()):
        raise ModelError(f"{output}: this lies in the package itself, which is left as it is. Choose another folder.")
    contract = _read_contract(package)
    weights = read_weights(package)
    try:
        check_contents(BytesIO(weights))  # before anything else reads it
    except ModelError as error:
        raise ModelError(f"{package.path}: its weights cannot be used: {error}") from None
    own = [entry.value for entry in network(weights).metadata_props if entry.key == METADATA_KEY]
    measured: dict[str, int] = {}
    if own:
        card = checked_card(with_answers_for(_own_card(own[0], contract), answers))
        # A file whose own card was not changed keeps its bytes, and so its sum.
        same = card == card_from_json(own[0])
        content = weights if same else with_metadata(weights, METADATA_KEY, card_to_json(card))
    else:
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder) / output.name
            bare.write_bytes(_with_steps(package, contract, weights))
            known = with_answers_for(_with_units(package, contract), answers)
            with errors_name(output, instead_of=bare):
                content, measured = _with_sizes_that_run(bare, _with_tile_and_halo(known), answers)
    notes = [f"{name}: {value}, measured" for name, value in measured.items()]
    with put_in_place(output, content) as beside:
        model = load_model(beside, device="cpu")
        check_runs(model)
        test, agreement = check_test(package, contract, model)
        if not own:
            if max(test.input.size, test.output.size) <= MOST_VALUES:
                content = with_metadata(content, STORED_TEST_KEY, stored_test_to_json(test))
            else:
                notes.append("the package's test is too large to be stored in the file; synthetic nuclei are its test")
            if all(field_value(answers, name) is None and name not in measured for name in HALOS):
                card, note = _with_measured_halo(model, test.input)
                content = with_metadata(content, METADATA_KEY, card_to_json(card))
                notes += note
            beside.write_bytes(content)
            load_model(beside, device="cpu")
    tile, of_volumes = model.card.input.tile_shape, model.card.input.dimensions == VOLUMES
    widest = FIELD_PX // 2 if tile is None else largest_halo(tile, model.card.input.divisible_by)
    deepest, widest = (size // 2 for size in LARGEST_FIELD) if of_volumes else (0, widest)
    if measured.get("output.halo", 0) >= widest or (of_volumes and measured.get("output.halo_planes", 0) >= deepest):
        notes.append("the network sees farther than any halo of its tiles, so the edges of tiles may show")
    if tile is not None:
        notes.append(f"the network takes {tile[0]} x {tile[1]} pixels alone; larger images are cut into such tiles")
    asked = [] if field_value(answers, "output.roles") else contract.notes
    return [*notes, *contract.preprocessing.notes, *asked, agreement]


def _with_sizes_that_run(bare: Path, known: dict[str, Any], answers: Mapping[str, Any]) -> tuple[bytes, dict[str, int]]:
    """Make the card; sizes that the description names and the network does not take are measured instead."""
    sizes = ("divisible_by", "min_size", "divisible_by_planes", "min_planes")
    described = {name for name in sizes if name in known["input"] and field_value(answers, f"input.{name}") is None}
    try:
        content, measured = with_answers(read_model_file(bare), known)
        if described:
            trial = bare.with_name(f"trial_{bare.name}")
            trial.write_bytes(content)
            check_runs(load_model(trial, device="cpu"))
    except ModelError:
        if not described or field_value(known, "input.tile_shape") is not None:
            raise
        given = {name: value for name, value in known["input"].items() if name not in described}
        return with_answers(read_model_file(bare), {**known, "input": given})
    return content, measured


def _read_contract(package: Package) -> Contract:
    try:
        return read_contract(package.description)
    except ModelError as error:
        raise ModelError(f"{package.path}: {error}") from None


def _with_steps(package: Package, contract: Contract, weights: bytes) -> bytes:
    before, after = contract.preprocessing.inside, contract.postprocessing
    try:
        return with_steps(weights, before, after, contract.takes, contract.gives, contract.one_at_a_time)
    except ModelError as error:
        raise ModelError(f"{package.path}: {error}") from None


def _with_units(package: Package, contract: Contract) -> dict[str, Any]:
    """Complete the card by the units in which the network reads images that cpunet does not normalize."""
    if contract.preprocessing.normalization.kind != "none":
        return contract.known
    units = units_of(contract.input, read_tensor(package, contract.input, "its test input"))
    return with_field(contract.known, "input.normalization.units", units)


def _with_tile_and_halo(known: dict[str, Any]) -> dict[str, Any]:
    """Complete what the description says of sizes, so that nothing is asked for that can be measured on its test."""
    tile = field_value(known, "input.tile_shape")
    if tile is not None:
        known = with_tile(known, tile)
    if field_value(known, "output.halo") is None and field_value(known, "input.normalization.kind") == "none":
        known = with_field(known, "output.halo", 0)
    of_volumes = field_value(known, "input.dimensions") == VOLUMES
    unknown_planes = of_volumes and field_value(known, "output.halo_planes") is None
    if unknown_planes and field_value(known, "input.normalization.kind") == "none":
        known = with_field(known, "output.halo_planes", 0)
    halo = field_value(known, "output.halo")
    if tile is not None and isinstance(halo, int):  # as a halo is rounded up, something must be left of a tile
        unit = field_value(known, "input.divisible_by")
        known = with_field(known, "output.halo", min(halo, (min(tile) - unit) // 2 // unit * unit))
    return known


def _with_measured_halo(model: OnnxModel, image: NDArray[np.float32]) -> tuple[ModelCard, list[str]]:
    """Enlarge the halo of a package if its network sees farther, in its own test input or in noise."""
    card, given = model.card, model.card.input
    dark_and_bright = (float(image.min()), float(image.max()))
    if given.dimensions == VOLUMES:
        return _with_measured_halo_of_volumes(model, image[:1], dark_and_bright)
    reach = max(
        reach_in_field(model.predict, image[:1], dark_and_bright),
        reach_of_impulse(
            model.predict, len(given.channels), given.divisible_by, given.min_size, only_shape=given.tile_shape
        ),
    )
    if reach <= card.output.halo:
        return card, []
    halo = -(-(reach + 1) // given.divisible_by) * given.divisible_by
    if given.tile_shape is not None:
        halo = max(card.output.halo, min(halo, largest_halo(given.tile_shape, given.divisible_by)))
    note = f"output.halo: {halo}; the network sees {reach} pixels far, and the package gives {card.output.halo}"
    if halo <= reach:
        note += f". Tiles of {given.tile_shape} pixels allow no more, so their edges may show"
    return replace(card, output=replace(card.output, halo=halo)), [note]


def _with_measured_halo_of_volumes(
    model: OnnxModel, volume: NDArray[np.float32], dark_and_bright: tuple[float, float]
) -> tuple[ModelCard, list[str]]:
    """Do the same for a network of volumes, along Z and along Y and X."""
    card, unit = model.card, units(model.card.input)
    in_test, in_noise = (
        reach_along_axes(model.predict, volume, dark_and_bright),
        reach_in_volumes(model.predict, card.input),
    )
    reach = VolumeHalo(max(in_test[0], in_noise.planes), max(*in_test[1:], in_noise.px))
    if reach.planes <= card.output.halo_planes and reach.px <= card.output.halo:
        return card, []
    planes, px = (
        before if far <= before else round_up(far + 1, step)
        for far, before, step in zip(reach, (card.output.halo_planes, card.output.halo), unit, strict=False)
    )
    note = (
        f"output.halo: {px}, output.halo_planes: {planes}; the network sees {reach.px} pixels and {reach.planes} "
        f"planes far, and the package gives {card.output.halo} and {card.output.halo_planes}"
    )
    return replace(card, output=replace(card.output, halo=px, halo_planes=planes)), [note]


def with_answers_for(content: dict[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's content with a user's answers in place of its own."""
    for name, value in flattened(answers).items():
        content = with_field(content, name, value)
    return content


def _own_card(text: str, contract: Contract) -> dict[str, Any]:
    """Check that the card inside the weights says the same as the description around them."""
    card = card_from_json(text)
    inside = [*contract.preprocessing.inside, *contract.postprocessing]
    own, asked = card.input.normalization, contract.preprocessing.normalization
    if inside or preprocessing(card.input) != preprocessing(replace(card.input, normalization=asked)):
        raise ModelError(
            f"the card in its weights asks for {own}, and its description for {asked}"
            f"{' and further steps' if inside else ''}. Ask its author which is right."
        )
    content: dict[str, Any] = json.loads(text)
    return content


def check_test(package: Package, contract: Contract, model: OnnxModel) -> tuple[StoredTest, str]:
    """Run the package's test input the way cpunet does, and compare the result with its test output.

    Returns
    -------
    StoredTest
        The first image of the package's test, and its output. Where a few pixels of many differ, as the format allows,
        it is the output of this machine.
    str
        How well the two agree.
    """
    image = _test_tensor(package, contract.input, contract.takes, "its test input", len(model.card.input.channels))
    expected = _test_tensor(package, contract.output, contract.gives, "its test output", len(model.card.output.roles))
    normalization = model.card.input.normalization
    if contract.preprocessing.of_data_set and len(image) > 1:  # the images of the test are its data set
        together = normalize_together(np.concatenate(list(image), axis=1), normalization)
        prepared = np.stack(np.split(together, len(image), axis=1))
    else:
        prepared = np.stack([normalize_together(planes, normalization) for planes in image])
    found = model.predict(prepared)
    try:
        difference = check_agreement(found, expected, AS_THE_FORMAT, "cpunet and the package")
    except DisagreementError as error:
        raise ModelError(
            f"{package.path}: its test output is not what the network makes of its test input after cpunet's "
            f"normalization: {error} Ask its author which steps the test was made with; `bioimageio test PACKAGE` runs "
            "it."
        ) from None
    stored = expected if np.allclose(found, expected, rtol=STRICT.rtol, atol=STRICT.atol) else found
    return StoredTest(prepared[:1], stored[:1]), f"the package's test output is reproduced to {difference:.1g}"


def _test_tensor(
    package: Package, tensor: InputTensorDescr | OutputTensorDescr, layout: Layout, what: str, channels: int
) -> NDArray[np.float32]:
    """Read a test tensor as (N, C, Y, X) or (N, C, Z, Y, X)."""
    values = read_tensor(package, tensor, what)
    turned = as_ours(values, layout)
    if turned is None or turned.shape[1] != channels or 0 in turned.shape:
        axes = ", ".join(layout.names)
        raise ModelError(
            f"{package.path}: {what} has the shape {values.shape}; ({axes}) with {channels} channels is needed. Ask "
            "its author to correct it."
        )
    if not np.isfinite(turned).all():
        raise ModelError(f"{package.path}: {what} holds values that are no numbers. Ask its author to correct it.")
    return np.ascontiguousarray(turned)


def read_weights(package: Package) -> bytes:
    """Read the ONNX weights of a package, without checking them."""
    formats = package.description.weights
    entry = formats.onnx
    if entry is None:
        found = [name for name in type(formats).model_fields if getattr(formats, name) is not None]
        raise ModelError(
            f"{package.path}: its weights are {', '.join(found)}, and ONNX is needed. Convert them with the program "
            "that trained them, or with `bioimageio add-weights`."
        )
    if entry.external_data is not None:
        raise ModelError(
            f"{package.path}: its ONNX weights lie in two files, and a model must be one. Put both into one with "
            "onnx.save_model(onnx.load('model.onnx'), 'one_file.onnx'), and pack it anew."
        )
    return read_file(package, entry, "its ONNX weights", LARGEST_FILE_BYTES)


def read_tensor(package: Package, tensor: InputTensorDescr | OutputTensorDescr, what: str) -> NDArray[np.float32]:
    """Read a test tensor of any shape; `what` names it in messages."""
    if tensor.test_tensor is None:
        raise ModelError(
            f"{package.path}: it has no test tensor for {tensor.id}, so it cannot be checked. Ask its author for one, "
            "or take the ONNX file out of it and describe it with `cpunet card add`."
        )
    content = read_file(package, tensor.test_tensor, what, LARGEST_TENSOR_BYTES)
    try:
        values = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"it holds {values.dtype}")
        if values.size > MOST_TENSOR_VALUES:
            raise ValueError(f"it has {values.size} values, and {MOST_TENSOR_VALUES} at most are tried")
    except (ValueError, TypeError, EOFError, OverflowError, RecursionError, SyntaxError, MemoryError) as error:
        raise ModelError(f"{package.path}: {what} are no sound .npy file of numbers: {error}.") from None
    return values.astype(np.float32)

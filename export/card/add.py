"""Add a card to an ONNX file of another program; what its author did not say of sizes is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cpunet.checks.halo import FIELD_PX, largest_halo
from cpunet.checks.halo_of_volumes import LARGEST_FIELD
from cpunet.errors import ModelError
from cpunet.export.card.answers import check_complete, with_defaults
from cpunet.export.card.declared import declared_channels
from cpunet.export.card.fields import field_value, with_field
from cpunet.export.card.file import checked_card, network, put_runnable, sum_lines, with_card_and_test
from cpunet.export.card.measure import TRIAL_PX, measured_fields
from cpunet.model.card import IMAGES, INSTANCES, METADATA_KEY, VOLUMES
from cpunet.model.session import open_model
from cpunet.onnx_reader.metadata import metadata_of, read_card
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.onnx_reader.safety import check_onnx

# Of the largest diameter: half of it, and half as much again, for objects that are longer than wide.
HALO_OF_OBJECTS = 0.75
LARGEST_UNIT_OF_TILES, UNITS_OF_A_TILE = 32, 16


def add_card(path: Path, answers: Mapping[str, Any]) -> list[str]:
    """Write a card into an ONNX file that has none.

    Parameters
    ----------
    path : Path
        Left as it is if anything fails.
    answers : mapping
        The card's content as far as it was answered.

    Returns
    -------
    list of str
        What was measured, and the file's sums, a line each.

    Raises
    ------
    ModelError
        If the file has a card already, an answer is missing, or the network does not fit the answers.
    """
    file = read_model_file(path)  # once: what is checked and measured is what gets the card
    if METADATA_KEY in metadata_of(file):
        raise ModelError(f"{path}: it carries a model card already. Change its fields with `cpunet card edit`.")
    content, measured = with_answers(file, answers)
    put_runnable(path, content)
    lines = [f"{name}: {value}, measured" for name, value in measured.items()]
    written = read_card(path)
    tile = written.input.tile_shape
    if tile is not None:
        lines.append(
            f"The network takes {tile[0]} x {tile[1]} pixels alone: larger images are cut into tiles of this shape."
        )
    far = FIELD_PX // 2 if tile is None else largest_halo(tile, written.input.divisible_by) - 1
    if written.input.dimensions == VOLUMES:
        far_planes, far = (size // 2 for size in LARGEST_FIELD)
        if measured.get("output.halo_planes", 0) > far_planes or measured.get("output.halo", 0) > far:
            lines.append(
                "One voxel changes the result at all distances that were tried: this network looks at the whole "
                "volume, so that one larger than a tile may show the tiles' edges."
            )
    elif measured.get("output.halo", 0) > far:
        lines.append(
            "One pixel changes the result at all distances that were tried: this network looks at the whole image, so "
            "that one larger than a tile (1024 pixels) may show the tiles' edges."
        )
    return [*lines, *sum_lines(path, file.sha256), f"Read the card with: cpunet card show {path}"]


def with_answers(file: ModelFile, answers: Mapping[str, Any]) -> tuple[bytes, dict[str, int]]:
    """Make a card of answers and of measurements, and put it into the bytes of an ONNX file without one.

    Returns
    -------
    bytes
        The file with its card, written out in full, and a stored test.
    dict of str to int
        What was measured, by the fields' dotted names.
    """
    check_onnx(file)
    declared = declared_channels(network(file.content))
    if declared.gives_objects:
        answers = with_objects(answers)
    answers = with_dimensions(answers, declared.dimensions)
    check_complete(dict(answers), declared)
    tile_shape = declared.tile_shape or field_value(answers, "input.tile_shape")
    if tile_shape is not None:
        answers = with_tile(answers, tile_shape)
    content = with_defaults(dict(answers))
    # The draft is checked before the minutes that measuring may take.
    model = open_model(file, device="cpu", card=checked_card(content))
    if declared.gives_objects:
        return with_card_and_test(file.content, checked_card(content), model.find_instances), {}
    measured = measured_fields(model, answers)
    for name, value in measured.items():
        content = with_field(content, name, value)
    return with_card_and_test(file.content, checked_card(content), model.predict), measured


def with_dimensions(answers: Mapping[str, Any], declared: int | None) -> dict[str, Any]:
    """Return a card's content that says whether the network takes volumes, if it does.

    `declared` is what the file says, None if it says nothing. Raises ModelError if it says something else than the
    answers.
    """
    answered = field_value(answers, "input.dimensions")
    if answered is not None and declared is not None and answered != declared:
        takes = {IMAGES: "images (N, C, Y, X)", VOLUMES: "volumes (N, C, Z, Y, X)"}[declared]
        raise ModelError(f"the network takes {takes}, and input.dimensions says {answered}. Leave out --dimensions.")
    if declared == VOLUMES:
        return with_field(dict(answers), "input.dimensions", VOLUMES)
    return dict(answers)


def with_objects(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's content for a network that gives objects: its kind and role, and sizes that nobody answered for.

    Nothing is measured. Networks of this kind pad their input themselves, so any size from 64 pixels on is taken to
    fit. The halo is 1.5 times the radius of the largest objects, so that each is whole in a tile.
    """
    content = with_field(dict(answers), "output.kind", INSTANCES)
    largest = field_value(with_defaults(dict(answers)), "input.diameter_high_px") or 0.0
    sizes = {"input.min_size": TRIAL_PX, "output.halo": math.ceil(HALO_OF_OBJECTS * largest)}
    for name, value in {"output.roles": ["foreground"], **sizes}.items():
        if field_value(content, name) is None:
            content = with_field(content, name, value)
    return content


def with_tile(answers: Mapping[str, Any], tile_shape: Sequence[int]) -> dict[str, Any]:
    """Return a card's content for a network that takes images of one height and width only.

    Tiles start at multiples of `divisible_by`, so that the network pools the same pixels together wherever a tile lies.
    Unless somebody answered for it, it is the largest power of two that divides both sides, and is at most 32 and a
    sixteenth of the shorter side, since a halo is rounded up to it.
    """
    finest = 2 ** int(math.log2(max(1, min(tile_shape) // UNITS_OF_A_TILE)))
    unit = field_value(answers, "input.divisible_by") or math.gcd(*tile_shape, finest, LARGEST_UNIT_OF_TILES)
    content = with_field(dict(answers), "input.tile_shape", list(tile_shape))
    for name, value in (("input.divisible_by", unit), ("input.min_size", unit)):
        content = with_field(content, name, value)
    return content

"""Measure what the author of an ONNX file did not say of sizes: which ones the network takes, and how far it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cpunet.checks.halo import measure_halo
from cpunet.checks.halo_of_volumes import measure_halo_of_volumes
from cpunet.errors import ModelError
from cpunet.export.card.fields import field_value
from cpunet.model.card import VOLUMES
from cpunet.model.session import OnnxModel

LARGEST_UNIT = 128
# An image of about so many pixels shows which multiples a network takes.
TRIAL_PX = 64
LARGEST_MULTIPLE = 32
# The same of a volume, smaller as it takes longer; all units of planes that are tried divide its planes.
TRIAL_PX_OF_VOLUME, TRIAL_PLANES, LARGEST_UNIT_OF_PLANES = 32, 16, 16


def measured_fields(model: OnnxModel, answers: Mapping[str, Any]) -> dict[str, int]:
    """Measure the sizes and the halo that nobody answered for; by the fields' dotted names, pixels or planes."""
    measure = _measured_of_volumes if model.card.input.dimensions == VOLUMES else _measured_of_images
    return {name: value for name, value in measure(model, answers).items() if field_value(answers, name) is None}


def _measured_of_images(model: OnnxModel, answers: Mapping[str, Any]) -> dict[str, int]:
    names = ("input.divisible_by", "input.min_size", "output.halo")
    unit, smallest, halo = (field_value(answers, name) for name in names)
    if unit is None or smallest is None:
        unit, least = measured_sizes(model, unit)
        smallest = smallest or least
    if halo is None:
        only = model.card.input.tile_shape
        halo = measure_halo(model.predict, len(model.card.input.channels), unit, smallest, only_shape=only)
    return dict(zip(names, (unit, smallest, halo), strict=True))


def _measured_of_volumes(model: OnnxModel, answers: Mapping[str, Any]) -> dict[str, int]:
    names = ("input.divisible_by", "input.min_size", "input.divisible_by_planes", "input.min_planes")
    unit, least, unit_planes, least_planes = (field_value(answers, name) for name in names)
    if unit is None or least is None:
        planes = unit_planes or TRIAL_PLANES
        planes = -(-max(TRIAL_PLANES, least_planes or 1) // planes) * planes

        def try_sides(height: int, width: int) -> None:
            _try_shape(model, planes, height, width)

        unit, found = _unit_and_least(model, unit, LARGEST_UNIT, TRIAL_PX_OF_VOLUME, try_sides)
        least = least or found
    if unit_planes is None or least_planes is None:
        side = -(-max(TRIAL_PX_OF_VOLUME, least) // unit) * unit

        def try_planes(some: int, others: int) -> None:
            for count in {some, others}:
                _try_shape(model, count, side, side)

        unit_planes, found = _unit_and_least(model, unit_planes, LARGEST_UNIT_OF_PLANES, TRIAL_PLANES, try_planes)
        least_planes = least_planes or found
    sizes = dict(zip(names, (unit, least, unit_planes, least_planes), strict=True))
    halos = ("output.halo_planes", "output.halo")
    if all(field_value(answers, name) is not None for name in halos):
        return sizes
    given = replace(
        model.card.input,
        divisible_by=unit,
        min_size=least,
        divisible_by_planes=unit_planes,
        min_planes=least_planes,
    )
    return {**sizes, **dict(zip(halos, measure_halo_of_volumes(model.predict, given), strict=True))}


def measured_sizes(model: OnnxModel, divisible_by: int | None = None) -> tuple[int, int]:
    """Try which sizes of an image come out of a network as large as they went in.

    Returns
    -------
    divisible_by : int
        The given one, or the smallest power of two of which odd multiples, too, come out as large as they went in.
    min_size : int
        The smallest square of a multiple of it by 1, 2, 4 to 32 that does.
    """
    return _unit_and_least(
        model, divisible_by, LARGEST_UNIT, TRIAL_PX, lambda height, width: _try_shape(model, height, width)
    )


def _unit_and_least(
    model: OnnxModel, given: int | None, largest: int, trial: int, try_sizes: Callable[[int, int], None]
) -> tuple[int, int]:
    """Find of which number the sizes along an axis must be multiples, and the smallest; see `measured_sizes`.

    `try_sizes` runs the network on two sizes, and raises ModelError where it does not take them. Odd multiples of about
    `trial` pixels or planes are tried.
    """
    units = [2**power for power in range(largest.bit_length())] if given is None else [given]
    failure = ModelError(f"{model.path}: no size was tried.")
    for unit in units:
        odd = trial // unit | 1
        sides = [unit * 2**power for power in range(LARGEST_MULTIPLE.bit_length())]
        try:
            try_sizes(odd * unit, (odd + 2) * unit)
        except ModelError as error:
            failure = error
            continue
        for side in sides:
            try:
                try_sizes(side, side)
            except ModelError as error:
                failure = error
                continue
            return unit, side
    raise ModelError(
        f"no image size that was tried (multiples of {units[0]} to {units[-1]} pixels) comes out of the network as "
        f"large as it went in, with a channel for each role. The last failure: {failure}"
    )


def _try_shape(model: OnnxModel, *sizes: int) -> None:
    model.predict(np.zeros((1, len(model.card.input.channels), *sizes), np.float32))

"""A configuration of a training on volumes, made from the data and the machine at hand, with a reason for each line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from cpunet.errors import DataError
from cpunet.training.config import config_from_dict
from cpunet.training.planning.machine import Machine
from cpunet.training.planning.plan import CHANNEL_NAMES, MEMORY_SHARE, PEAK, Plan, normalization_of, precision_of
from cpunet.training.volumes.config import FEWEST_PLANES_IN_16_BITS, VolumeConfig
from cpunet.training.volumes.network import (
    VolumeArchitecture,
    VolumeNetworkSummary,
    VolumeUNet,
    flat_levels_for,
    summarize_volumes,
)
from cpunet.training.volumes.planning.set_facts import VolumeSetFacts, look_at_volumes

# Objects of this size show their outline; larger ones are scaled down, as their number of voxels grows fast.
DIAMETER_LOW_PX, DIAMETER_HIGH_PX = 10.0, 36.0
DEPTHS = (2, 3, 4)
DIAMETERS_A_PATCH = 4
SMALLEST_PATCH, LARGEST_PATCH, FEWEST_PLANES = 48, 128, 8
BATCH_CPU, BATCH_GPU = 2, 8
# Larger patches take long, and hold hardly more that is new.
VOXELS_CPU, VOXELS_GPU = 3.3e5, 2.1e6
# How often a run shows each voxel of the training volumes, about.
PASSES, FEWEST_STEPS, MOST_STEPS = 60, 1500, 12000
BASE_CHANNELS = 24


def make_volume_plan(
    name: str,
    folders: Sequence[Path],
    machine: Machine,
    z_step_px: float | None = None,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Plan:
    """Choose a configuration.

    Parameters
    ----------
    name : str
        Of the model.
    folders : sequence of Path
        Data sets with volumes, all in one parent folder.
    machine : Machine
    z_step_px : float, optional
        Of volumes of which the index does not say it.
    given : mapping of str to object
        Fields with a value that the user chose.

    Raises
    ------
    DataError
        If a set cannot be trained on, or the sets' volumes differ in their number of channels.
    """
    sets = [look_at_volumes(folder, z_step_px) for folder in folders]
    if len({facts.channels for facts in sets}) > 1:
        found = ", ".join(f"{facts.folder} {facts.channels}" for facts in sets)
        raise DataError(f"The sets' volumes differ in their number of channels ({found}). Plan for one kind at a time.")
    content: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def decide(field: str, value: Any, reason: str) -> None:
        content[field] = given.get(field, value)
        reasons[field] = "given on the command line" if field in given else reason

    decide("name", name, "the name of the model; its folder below models/ is called the same")
    decide("modality", sets[0].modality, "from the index; it goes to the model card")
    channels = sets[0].channels
    names = CHANNEL_NAMES.get(channels) or tuple(f"channel_{number}" for number in range(1, channels + 1))
    decide("channels", list(names), f"the volumes have {channels} channel{'s' if channels > 1 else ''}; rename them")
    decide("data", *_data(sets))
    step = round(float(np.median([facts.z_step_px for facts in sets])), 4)
    shown = " and ".join(f"{facts.z_step_px:g}" for facts in sets)
    decide("z_step_px", step, f"planes lie {shown} widths of a pixel apart; others are resampled to this")
    decide("diameter_px", *_diameter(sets))
    scale = [content["diameter_px"] / facts.diameter_px if content["diameter_px"] else 1.0 for facts in sets]
    decide("architecture", *_architecture(sets, scale, step))
    decide("normalization", *normalization_of(sets))
    decide("precision", *precision_of(machine))
    patch, summary, reason = _patch(sets, scale, step, content, machine)
    decide("patch_planes", patch[0], reason)
    decide("patch_size", patch[1], f"{patch[0]} planes span {patch[0] * step:.0f} widths of a pixel")
    decide("batch_size", *_batch_size(summary, machine))
    decide("steps", *_steps(sets, scale, patch, content["batch_size"]))
    every = int(np.clip(content["steps"] // 10, 1, 500))
    decide("validate_every", every, "about ten validations, each on whole volumes")
    decide("learning_rate", 2e-3, "AdamW and one cycle")
    decide("average_decay", 0.995, "the mean of the last weights is steadier than the last ones: batches are small")
    decide("augmentation", "standard", "flips, turns in the plane, zoom, blur, light lost with depth, missing planes")
    decide("workers", min(machine.cores, 8), f"{machine.cores} cores can prepare patches")
    decide("seed", 1, "another seed gives another run of the same quality")
    config_from_dict(content, VolumeConfig)  # raises if a given value is not allowed
    return Plan(content, reasons, summary, VolumeConfig, "cpunet train-volumes --plan")


def _data(sets: Sequence[VolumeSetFacts]) -> tuple[list[dict[str, Any]], str]:
    sources: list[dict[str, Any]] = []
    for facts in sets:
        source = {"folder": facts.folder, "share": round(float(np.sqrt(facts.voxels / sets[0].voxels)), 2)}
        sources.append({**source, "z_step_px": facts.z_step_px} if facts.z_step_given else source)
    return sources, "; ".join(
        f"{facts.folder}: {facts.volumes} training and {facts.validation_volumes} validation volumes, {facts.objects} "
        f"objects of {facts.diameter_low_px:.0f} to {facts.diameter_high_px:.0f} pixels, median {facts.diameter_px:.0f}"
        for facts in sets
    )


def _diameter(sets: Sequence[VolumeSetFacts]) -> tuple[float, str]:
    medians = [facts.diameter_px for facts in sets]
    shown = " and ".join(f"{median:.0f}" for median in medians)
    if all(DIAMETER_LOW_PX <= median <= DIAMETER_HIGH_PX for median in medians):
        return 0.0, (
            f"0 keeps the volumes at their size: {shown} pixels lie within {DIAMETER_LOW_PX:.0f} to "
            f"{DIAMETER_HIGH_PX:.0f}"
        )
    nearest = DIAMETER_HIGH_PX if float(np.median(medians)) > DIAMETER_HIGH_PX else DIAMETER_LOW_PX
    return nearest, (
        f"objects of {shown} pixels are scaled to this, the near end of the range that trains fast enough "
        f"({DIAMETER_LOW_PX:.0f} to {DIAMETER_HIGH_PX:.0f})"
    )


def _architecture(
    sets: Sequence[VolumeSetFacts], scale: Sequence[float], z_step_px: float
) -> tuple[dict[str, Any], str]:
    largest = max(facts.diameter_high_px * factor for facts, factor in zip(sets, scale, strict=True))
    for depth in DEPTHS:
        flat = flat_levels_for(z_step_px, depth)
        architecture = VolumeArchitecture(base_channels=BASE_CHANNELS, depth=depth, flat_levels=flat)
        planes, field = architecture.receptive_field
        if field >= 2 * largest or depth == DEPTHS[-1]:
            break
    content = {
        "base_channels": architecture.base_channels,
        "depth": depth,
        "max_channels": architecture.max_channels,
        "flat_levels": flat,
    }
    return content, (
        f"a voxel is {z_step_px:g} times as long as it is wide, so planes are treated one by one at {flat} "
        f"level{'' if flat == 1 else 's'}; an output voxel depends on {planes} planes of {field} pixels, and the "
        f"largest objects have {largest:.0f}"
    )


def _patch(
    sets: Sequence[VolumeSetFacts],
    scale: Sequence[float],
    z_step_px: float,
    content: Mapping[str, Any],
    machine: Machine,
) -> tuple[tuple[int, int, int], VolumeNetworkSummary, str]:
    """Choose the patch: about as deep as it is wide, no larger than the volumes, and small enough for the memory."""
    draft = config_from_dict({**content, **_smallest_patch(content)}, VolumeConfig)
    unit, unit_of_planes = draft.architecture.divisible_by, draft.architecture.divisible_by_planes
    factors = list(zip(sets, scale, strict=True))
    diameter = max(facts.diameter_px * factor for facts, factor in factors)
    side = max(facts.side_px * factor for facts, factor in factors)
    depth = max(facts.planes * factor * facts.z_step_px / z_step_px for facts, factor in factors)
    wanted = min(float(np.clip(DIAMETERS_A_PATCH * diameter, SMALLEST_PATCH, LARGEST_PATCH)), max(side, unit))
    least = unit_of_planes * (1 if draft.precision == "32-true" else FEWEST_PLANES_IN_16_BITS)
    most_voxels = VOXELS_GPU if machine.gpu else VOXELS_CPU
    network = VolumeUNet(draft.architecture, len(draft.channels), len(draft.targets.roles))
    while True:
        size = max(unit, round(wanted / unit) * unit)
        planes = min(max(size / z_step_px, FEWEST_PLANES), depth)
        patch = (max(least, round(planes / unit_of_planes) * unit_of_planes), size, size)
        summary = summarize_volumes(network, patch, draft.precision)
        needed = PEAK * summary.activation_bytes_per_patch
        fits = needed <= MEMORY_SHARE * machine.free_bytes and math.prod(patch) <= most_voxels
        if fits or wanted <= unit:
            break
        wanted -= unit
    return (
        patch,
        summary,
        (
            f"about {size / diameter:.0f} objects side by side and as deep as that, no more than the volumes have, a "
            f"multiple of {unit_of_planes} planes and {unit} pixels, at most {most_voxels / 1e6:.2g} million voxels "
            f"on this {'GPU' if machine.gpu else 'CPU'}; a patch takes {needed / 1e6:.0f} MB at most, and "
            f"{machine.free_bytes / 1e9:.1f} GB are free"
        ),
    )


def _smallest_patch(content: Mapping[str, Any]) -> dict[str, int]:
    architecture = VolumeArchitecture(**content["architecture"])
    planes = FEWEST_PLANES_IN_16_BITS * architecture.divisible_by_planes
    return {"patch_planes": planes, "patch_size": architecture.divisible_by}


def _batch_size(summary: VolumeNetworkSummary, machine: Machine) -> tuple[int, str]:
    most = BATCH_GPU if machine.gpu else BATCH_CPU
    fits = int(MEMORY_SHARE * machine.free_bytes / (PEAK * summary.activation_bytes_per_patch))
    return int(2 ** np.floor(np.log2(np.clip(fits, 1, most)))), (
        f"{MEMORY_SHARE:.0%} of the free memory may be used: {fits} patches would fit; more than {most} take long on a "
        f"{'GPU' if machine.gpu else 'CPU'}"
    )


def _steps(
    sets: Sequence[VolumeSetFacts], scale: Sequence[float], patch: tuple[int, int, int], batch_size: int
) -> tuple[int, str]:
    voxels = sum(facts.voxels * factor**3 for facts, factor in zip(sets, scale, strict=True))
    wanted = PASSES * voxels / float(np.prod(patch)) / batch_size
    return int(np.clip(np.ceil(wanted / 100) * 100, FEWEST_STEPS, MOST_STEPS)), (
        f"{PASSES} passes over the volumes' voxels would be {wanted:.0f} steps; {FEWEST_STEPS} to {MOST_STEPS} are "
        "sensible"
    )

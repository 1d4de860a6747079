"""A configuration made from the data and the machine at hand, with a reason for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from cpunet.errors import DataError
from cpunet.training.config import TrainingConfig, config_from_dict
from cpunet.training.fine_tune import find_weights
from cpunet.training.importing.data_set import ImportOptions
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import NetworkSummary, measure_receptive_field, summarize
from cpunet.training.network.unet import Architecture, UNet
from cpunet.training.planning.machine import Machine
from cpunet.training.planning.set_facts import SetFacts, look_at_set
from cpunet.training.volumes.network import VolumeNetworkSummary
from cpunet.training.weights import TrainedNetwork, load_trained

# Objects of this size show their outline and fit several times into a patch; rescaling would only blur them.
DIAMETER_LOW_PX, DIAMETER_HIGH_PX = 12.0, 45.0
DIAMETER_ENDS = ("diameter_low_px", "diameter_high_px")
DIAMETERS_A_PATCH = 6
SMALLEST_PATCH, LARGEST_PATCH = 96, 256
DEPTHS = (3, 4, 5)
# How often a run from random weights shows each pixel of the training images, about.
PASSES, FEWEST_STEPS, MOST_STEPS = 60, 1500, 12000
# Fine-tuning takes so many steps times the fourth root of the number of patches that the images could be cut into: few
# images are looked at more often each, and many need longer.
FINE_TUNING_STEPS = 1600
# Below so many steps 0.005 gave better scores than 0.002 and 0.001, from scratch and in fine-tuning alike.
SHORT_RUN = 1500
# A share of the free memory: images, weights and the operating system need the rest. At the peak, loss and gradients
# take 1.2 to 1.6 times as much as the activations that the network keeps.
MEMORY_SHARE, PEAK = 0.4, 1.6
LARGEST_BATCH_CPU, LARGEST_BATCH_GPU = 8, 32
FEW_IMAGES = 20
# Of one or two images a network learns much that holds for them alone. On one image of mnfinder a share of 0.3 gained
# 0.011 in mean F1, on six it lost 0.009, and with images of another kind than the start's (color) 0.14.
FEW_FOR_A_SHARE, START_SHARE = 2, 0.3
CHANNEL_NAMES = {1: ("nuclei",), 3: ("red", "green", "blue")}


@dataclass(frozen=True)
class Plan:
    """A configuration with its reasons.

    Attributes
    ----------
    content : dict
        The fields of `TrainingConfig` that the plan decides.
    reasons : dict of str to str
        A sentence for each field of `content`.
    summary : NetworkSummary or VolumeNetworkSummary
    kind : type
        Of the configuration.
    command : str
        What planned.
    """

    content: dict[str, Any]
    reasons: dict[str, str]
    summary: NetworkSummary | VolumeNetworkSummary
    kind: type[Any] = TrainingConfig
    command: str = "cpunet train --plan"

    @property
    def config(self) -> Any:
        """The configuration, checked."""
        return config_from_dict(self.content, self.kind)


def make_plan(
    name: str,
    folders: Sequence[Path],
    machine: Machine,
    start_from: str = "",
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Plan:
    """Choose a configuration.

    Parameters
    ----------
    name : str
        Of the model.
    folders : sequence of Path
        Data sets, all in one parent folder.
    machine : Machine
    start_from : str
        A model to fine-tune, see `TrainingConfig`; empty for none.
    given : mapping of str to object
        Fields with a value that the user chose.

    Raises
    ------
    DataError
        If a set cannot be trained on, or the sets' images differ in their number of channels.
    ConfigError, WeightsError
        If the model to start from does not exist, or a given value is not allowed.
    """
    sets = [look_at_set(folder) for folder in folders]
    if len({facts.channels for facts in sets}) > 1:
        found = ", ".join(f"{facts.folder} {facts.channels}" for facts in sets)
        raise DataError(f"The sets' images differ in their number of channels ({found}). Plan for one kind at a time.")
    start = load_trained(find_weights(start_from)) if start_from else None
    content: dict[str, Any] = {"name": name}
    reasons = {"name": "the name of the model; its folder below models/ is called the same"}

    def decide(field: str, value: Any, reason: str) -> None:
        content[field] = given.get(field, value)
        reasons[field] = "given on the command line" if field in given else reason

    decide("modality", sets[0].modalities[0], "from the index; it goes to the model card")
    decide("channels", *_channels(sets[0].channels, start))
    decide("data", *_data(sets))
    if "frozen" in given:
        decide("frozen", given["frozen"], "")
    if start:
        decide("start_from", start_from, "training starts from its weights instead of random ones")
        same_kind = content["modality"] in (start.config.modality, ImportOptions.modality)
        same_kind = same_kind and list(start.config.channels) == content["channels"]
        if same_kind and sum(facts.images for facts in sets) <= FEW_FOR_A_SHARE:
            decide("start_share", START_SHARE, "one or two images: a part of the model to start from is kept")
        decide(
            "targets",
            asdict(start.config.targets),
            "as in the initial model, so that its output channels can be reused",
        )
    diameter, reason = _diameter(sets, start)
    decide("diameter_px", diameter, reason)
    scale = [diameter / facts.diameter_px if diameter else 1.0 for facts in sets]
    decide("architecture", *_architecture(sets, scale, start))
    architecture = config_from_dict(content).architecture
    decide("normalization", *normalization_of(sets, start))
    decide("patch_size", *_patch_size(sets, scale, architecture))
    decide("precision", *precision_of(machine))
    draft = config_from_dict(content)
    summary = summarize(build_network(draft), draft.patch_size, draft.precision)
    decide("batch_size", *_batch_size(summary, machine))
    decide("steps", *_steps(sets, scale, content["patch_size"], content["batch_size"], start))
    decide(
        "validate_every",
        int(np.clip(content["steps"] // 20, min(25, content["steps"]), 500)),
        "about twenty validations in a run; a checkpoint is written at each",
    )
    short = content["steps"] < SHORT_RUN
    decide(
        "learning_rate",
        5e-3 if short else 2e-3,
        "AdamW and one cycle; short runs score better with a higher rate" if short else "AdamW and one cycle",
    )
    decide("augmentation", *_augmentation(sets))
    workers = min(machine.cores, 8)
    decide(
        "workers",
        workers,
        f"{machine.cores} cores can prepare patches; the run reports how long it waited",
    )
    decide("seed", 1, "another seed gives another run of the same quality")
    config_from_dict(content)
    return Plan(content, reasons, summary)


def _channels(channels: int, start: TrainedNetwork | None) -> tuple[list[str], str]:
    if start and len(start.config.channels) == channels:
        return list(start.config.channels), "those of the model to start from"
    names = CHANNEL_NAMES.get(channels) or tuple(f"channel_{number}" for number in range(1, channels + 1))
    return list(names), f"the images have {channels} channel{'s' if channels > 1 else ''}; you can rename them"


def _data(sets: Sequence[SetFacts]) -> tuple[list[dict[str, Any]], str]:
    sources = [
        {"folder": facts.folder, "share": round(float(np.sqrt(facts.pixels / sets[0].pixels)), 2)} for facts in sets
    ]
    for source, facts in zip(sources, sets, strict=True):
        source["modalities"] = list(facts.modalities)
    counts = "; ".join(
        f"{facts.folder}: {facts.images} training and {facts.validation_images} validation images, {facts.objects} "
        f"objects of {facts.diameter_low_px:.0f} to {facts.diameter_high_px:.0f} pixels, median {facts.diameter_px:.0f}"
        for facts in sets
    )
    shares = "; shares grow with the square root of the sets' pixels, so that the largest does not dominate"
    return sources, counts + (shares if len(sets) > 1 else "")


def _diameter(sets: Sequence[SetFacts], start: TrainedNetwork | None) -> tuple[float, str]:
    medians = [facts.diameter_px for facts in sets]
    shown = " and ".join(f"{median:.0f}" for median in medians)
    low, high = DIAMETER_LOW_PX, DIAMETER_HIGH_PX
    if start:
        # A model has seen few objects near the ends of its range: half way to them, on a logarithmic scale.
        low, high = ((start.facts[end] * start.facts["diameter_px"]) ** 0.5 for end in DIAMETER_ENDS)
    if all(low <= median <= high for median in medians):
        return 0.0, f"0 keeps the images at their size: {shown} pixels lie within {low:.0f} to {high:.0f}"
    nearest = round(high if float(np.median(medians)) > high else low, 1)
    whose = (
        "of the range that the model to start from knows well"
        if start
        else "of the range that trains accurately and fast"
    )
    return nearest, (
        f"objects of {shown} pixels are scaled to this, the near end {whose} ({low:.0f} to {high:.0f}), so that little "
        "detail is lost; the module scales images in the same way"
    )


def _architecture(
    sets: Sequence[SetFacts], scale: Sequence[float], start: TrainedNetwork | None
) -> tuple[dict[str, Any], str]:
    if start:
        return asdict(start.config.architecture), "that of the model to start from"
    largest = max(facts.diameter_high_px * factor for facts, factor in zip(sets, scale, strict=True))
    for depth in DEPTHS:
        architecture = Architecture(depth=depth)
        field = measure_receptive_field(UNet(architecture, 1, 1))
        if field >= 2 * largest or depth == DEPTHS[-1]:
            break
    return {"depth": depth, "base_channels": architecture.base_channels, "max_channels": architecture.max_channels}, (
        f"an output pixel depends on {field} pixels along each axis, the largest objects have {largest:.0f}; "
        "the smallest depth that sees twice as far is the fastest that can separate them"
    )


def normalization_of(sets: Sequence[Any], start: TrainedNetwork | None = None) -> tuple[dict[str, Any], str]:
    """Choose the percentiles, with a reason, for sets with `foreground` and `dark_background`."""
    if start:
        return asdict(start.config.normalization), "that of the model to start from"
    if not all(facts.dark_background for facts in sets):
        return {"kind": "percentile", "percentile_low": 0.5, "percentile_high": 99.5}, (
            "objects are not brighter than their surroundings, so both ends of the intensities are treated alike"
        )
    least = min(facts.foreground for facts in sets)
    # A percentile among the background's pixels would stretch noise.
    high = 99.8 if least > 0.01 else 99.95
    return {"kind": "percentile", "percentile_low": 1.0, "percentile_high": high}, (
        f"bright objects cover {least:.1%} or more of nearly every image, so percentile {high:g} lies in them, and "
        "percentile 1 in the background"
    )


def _patch_size(sets: Sequence[SetFacts], scale: Sequence[float], architecture: Architecture) -> tuple[int, str]:
    unit = architecture.divisible_by
    diameter = max(facts.diameter_px * factor for facts, factor in zip(sets, scale, strict=True))
    side = max(facts.smallest_side_px * factor for facts, factor in zip(sets, scale, strict=True))
    wanted = float(np.clip(DIAMETERS_A_PATCH * diameter, SMALLEST_PATCH, LARGEST_PATCH))
    size = max(unit, architecture.min_size, round(min(wanted, max(side, SMALLEST_PATCH)) / unit) * unit)
    return int(size), (
        f"about {size / diameter:.0f} objects side by side, a multiple of {unit} for a depth of {architecture.depth}; "
        f"{SMALLEST_PATCH} to {LARGEST_PATCH} pixels learn well, and no larger than the images"
    )


def precision_of(machine: Machine) -> tuple[str, str]:
    """Choose the precision, with a reason."""
    if machine.fast_bf16:
        return (
            "bf16-mixed",
            f"{machine.gpu or 'this processor'} computes bf16 in hardware, which is faster and as accurate",
        )
    return "32-true", f"{machine.gpu or 'this processor'} has no fast bf16"


def _batch_size(summary: NetworkSummary, machine: Machine) -> tuple[int, str]:
    most = LARGEST_BATCH_GPU if machine.gpu else LARGEST_BATCH_CPU
    patch_bytes = PEAK * summary.activation_bytes_per_patch
    fits = int(MEMORY_SHARE * machine.free_bytes / patch_bytes)
    size = int(2 ** np.floor(np.log2(np.clip(fits, 1, most))))
    return size, (
        f"a patch takes {patch_bytes / 1e6:.0f} MB at most, and {machine.free_bytes / 1e9:.1f} "
        f"GB are free, of which {MEMORY_SHARE:.0%} may be used: {fits} would fit; more than {most} learn little faster "
        f"on a {'GPU' if machine.gpu else 'CPU'}"
    )


def _steps(
    sets: Sequence[SetFacts], scale: Sequence[float], patch_size: int, batch_size: int, start: TrainedNetwork | None
) -> tuple[int, str]:
    pixels = sum(facts.pixels * factor**2 for facts, factor in zip(sets, scale, strict=True))
    patches = pixels / patch_size**2
    if start:
        wanted = FINE_TUNING_STEPS * max(1.0, patches) ** 0.25
        return int(min(np.ceil(wanted / 50) * 50, MOST_STEPS)), (
            f"the images could be cut into {patches:.0f} patches; {FINE_TUNING_STEPS} steps times the fourth root of "
            f"that number, at most {MOST_STEPS}; fewer take less time, and gain less"
        )
    wanted = PASSES * patches / batch_size
    steps = int(np.clip(np.ceil(wanted / 100) * 100, FEWEST_STEPS, MOST_STEPS))
    return steps, (
        f"{PASSES} passes over the images' pixels would be {wanted:.0f} steps; {FEWEST_STEPS} to {MOST_STEPS} are "
        "sensible"
    )


def _augmentation(sets: Sequence[SetFacts]) -> tuple[dict[str, Any], str]:
    images = sum(facts.images for facts in sets)
    touching = sum(facts.touching * facts.objects for facts in sets) / sum(facts.objects for facts in sets)
    few = images < FEW_IMAGES
    content: dict[str, Any] = {"preset": "heavy" if few else "standard"}
    reason = f"{images} images are {'few, so they are changed strongly' if few else 'enough for moderate changes'}"
    if touching < 0.1 and not few:  # heavy pastes more already
        content["clump_fraction"] = 0.2
        reason += f"; only {touching:.0%} of the objects touch another, so some are pasted side by side"
    return content, reason

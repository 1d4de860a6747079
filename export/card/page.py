"""A model card as a page of text for the terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cpunet.export.readme import decoding
from cpunet.model.card import INSTANCES, VOLUMES, InputCard, ModelCard, OutputCard
from cpunet.steps.pixels.channels import COLORS

WIDTH = 100
NAME_WIDTH = 15

ROLE_MEANINGS = {
    "background": "probability that a pixel belongs to no object",
    "interior": "probability of the inside of an object, without its boundary",
    "boundary": "probability of an object's outline",
    "foreground": "probability that a pixel belongs to an object",
    "border": "probability of lying between two objects that touch or nearly do",
    "distance": "0 at an object's edge, 1 in its middle",
}
# Columns by the names that scores have in the card; others follow under their own names.
SCORE_TITLES = {
    "images": "images",
    "objects": "objects",
    "mean_f1": "mean F1",
    "f1_at_0.5": "F1 at 0.5",
    "f1_at_0.7": "F1 at 0.7",
    "f1_at_0.9": "F1 at 0.9",
    "mean_average_precision": "mAP",
    "over_segmented": "over",
    "under_segmented": "under",
    "seg": "SEG",
    "iou": "IoU",
    "mucov": "MUCov",
}


def card_page(card: ModelCard, place: str, size_bytes: int, sha256: str) -> str:
    """Write a card as a page for the terminal.

    Parameters
    ----------
    card : ModelCard
    place : str
        Path of the ONNX file.
    size_bytes : int
    sha256 : str
        Of the file.
    """
    title = f"{card.name} {card.version}"
    made = card.provenance
    rebuild = [("commit", made.get("commit")), ("seed", made.get("seed")), ("steps", made.get("steps"))]
    others = [(key, json.dumps(value)) for key, value in card.extra.items()]
    lines = [
        title,
        "=" * len(title),
        *textwrap.wrap(card.description or "(no description)", WIDTH),
        "",
        *_entry("License", card.licence or "not given"),
        *_entry("Authors", ", ".join(card.authors) or "not given"),
        *_entry("Cite", card.citation or "nothing given"),
        *_section("Input", input_entries(card.input)),
        *_section("Output", output_entries(card.output)),
        *_entry("  halo", _halo(card)),
        "",
        "Decoding",
        *[f"  {line}" for line in textwrap.wrap("; ".join([decoding(card), *finish(card)]), WIDTH - 2)],
        "",
        f"Scores on validation {'volumes' if card.input.dimensions == VOLUMES else 'images'}, pooled over all objects",
        *_score_table(card.scores),
        "",
        "Training data",
        *_data_lines(made.get("data")),
        *_pretrained_lines(made.get("pretrained")),
        *_start_lines(made.get("start_from")),
        *_section("Rebuild", [(name, str(value)) for name, value in rebuild if value not in (None, "")]),
        *[f"  {step}" for step in str(made.get("command") or "no command given").split(" && ")],
        *_section("File", [("path", place), ("size", f"{size_bytes / 1e6:.2f} MB"), ("SHA-256", sha256)]),
        *(_section("Other fields", others) if others else []),
    ]
    return "\n".join(lines)


def output_entries(card: OutputCard) -> list[tuple[str, str]]:
    """Say what a network gives, as pairs of a name and a sentence."""
    if card.kind == INSTANCES:
        return [
            ("boxes", "upper, left, lower and right edge of each object"),
            ("scores", "how certain each object is, 0 to 1"),
            ("masks", "probability that a place in the box belongs to the object"),
        ]
    return [(role, ROLE_MEANINGS[role]) for role in card.roles]


def _halo(card: ModelCard) -> str:
    pixels = f"{card.output.halo} pixels a side of a tile"
    if card.input.dimensions == VOLUMES:
        return f"{pixels} along Y and X; {card.output.halo_planes} planes along Z"
    return pixels


UNITS_IN_WORDS = {
    "zero_to_one": "none; the network reads 0 to 1, where 1 is the largest number of the file's type (255, 65535)",
    "as_stored": "none; the network reads the numbers of the file",
    "": "none, and the units are not stated; the network is given 0 to 1 of the file's type",
}


def input_entries(card: InputCard) -> list[tuple[str, str]]:
    """Say what a network takes, as pairs of a name and a sentence."""
    given = card.normalization
    image = "volume" if card.dimensions == VOLUMES else "image"
    of_what = (
        f"each channel of each {image}"
        if given.per_channel or len(card.channels) == 1
        else f"all channels of each {image}"
    )
    if given.kind == "percentile":
        normalization = (
            f"percentiles {given.percentile_low:g} and {given.percentile_high:g} of {of_what} become 0 and 1; "
            f"limited to between {given.clip_low:g} and {given.clip_high:g}"
        )
    elif given.kind == "zero_mean_unit_variance":
        normalization = f"{of_what} is shifted to the mean 0 and scaled to the standard deviation 1"
    else:
        normalization = UNITS_IN_WORDS[given.units]
    gray = "; gray images too, as colors that are all alike" if card.channels == COLORS else ""
    multiples = f"multiples of {card.divisible_by} pixels, " if card.divisible_by > 1 else ""
    sizes = f"{multiples}{card.min_size} or more a side"
    if card.tile_shape is not None:
        sizes = "tiles of {} x {} pixels, and no others".format(*card.tile_shape)
    planes = []
    if card.dimensions == VOLUMES:
        of_planes = f"multiples of {card.divisible_by_planes}, " if card.divisible_by_planes > 1 else ""
        sizes += f", and {of_planes}{card.min_planes} or more planes"
        planes = [
            ("dimensions", "3-D: volumes (Z, Y, X)"),
            ("planes", f"trained where two lie {card.z_step_px:g} times as far apart as two pixels"),
        ]
    return [
        *planes,
        ("channels", ", ".join(card.channels) + gray),
        ("modality", card.modality or "not given"),
        ("normalization", normalization),
        (
            "objects",
            f"trained at {card.diameter_px:g} pixels in diameter; no rescaling from {card.diameter_low_px:g} to "
            f"{card.diameter_high_px:g}",
        ),
        ("pixel size", "not given" if card.pixel_size_um is None else f"{card.pixel_size_um:g} micrometers"),
        ("sizes", f"{image}s of any size; the network gets {sizes}"),
    ]


def finish(card: ModelCard) -> list[str]:
    """Say what is done to objects at last, beyond what a model's README says."""
    settings = card.postprocessing
    grown = settings.dilation_px and set(card.output.roles) != {"boundary"}
    return [
        *([f"objects grown by {settings.dilation_px:g} pixels"] if grown else []),
        *(["holes in an object filled"] if settings.fill_holes else []),
        *([] if settings.outline_level is None else [f"outlines at {settings.outline_level:g} of the edge's height"]),
        *([f"outlines moved outward by {settings.outline_shift_px:g} pixels"] if settings.outline_shift_px else []),
    ]


def _section(title: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    """Give a titled list of names and values."""
    return ["", title, *[line for name, text in entries for line in _entry(f"  {name}", text)]]


def _entry(name: str, text: str) -> list[str]:
    """Give a name and its text beside it, wrapped; words are never broken, so that paths and sums can be copied."""
    margin = " " * (NAME_WIDTH + 2)
    lines = textwrap.wrap(text, WIDTH - len(margin), break_long_words=False, break_on_hyphens=False)
    first, *rest = lines or [""]
    return [f"{name:<{NAME_WIDTH}}  {first}".rstrip(), *[margin + line for line in rest]]


def _score_table(scores: Mapping[str, Any]) -> list[str]:
    rows = {name: found for name, found in scores.items() if isinstance(found, Mapping)}
    found = {score for values in rows.values() for score in values}
    if not found:
        return ["  none given"]
    columns = [*(score for score in SCORE_TITLES if score in found), *sorted(found - SCORE_TITLES.keys())]
    table = [
        ["set", *(SCORE_TITLES.get(score, score) for score in columns)],
        *[[name, *(_figure(values.get(score)) for score in columns)] for name, values in rows.items()],
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _data_lines(data: Any) -> list[str]:
    """Give what is known of each training set; the schema knows these fields, the runtime lets others pass."""
    lines = []
    for found in data if isinstance(data, list) else []:
        values = found if isinstance(found, Mapping) else {"name": found}
        counts = [f"{values[name]} {name}" for name in ("images", "objects") if name in values]
        texts = [str(values[name]) for name in ("licence", "source") if values.get(name)]
        sums = [f"SHA-256 {values['sha256']}"] if values.get("sha256") else []
        lines += [f"  {values.get('name', 'no name')}", *_indented("; ".join([*counts, *texts])), *_indented(*sums)]
    return lines or ["  not given"]


def _start_lines(start: Any) -> list[str]:
    if not isinstance(start, Mapping):
        return []
    return [f"  fine-tuned from {start.get('name')}", *_indented(f"SHA-256 {start.get('sha256')}")]


def _pretrained_lines(pretrained: Any) -> list[str]:
    if not isinstance(pretrained, Mapping):
        return []
    texts = f"{pretrained.get('source')}; license {pretrained.get('licence') or 'not known'}"
    return [
        f"  pretrained encoder {pretrained.get('encoder')}",
        *_indented(texts, f"SHA-256 {pretrained.get('sha256')}"),
    ]


def _indented(*texts: str) -> list[str]:
    return [f"    {line}" for text in texts for line in textwrap.wrap(text, WIDTH - 4, break_long_words=False)]

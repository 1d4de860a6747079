"""The README of a model's folder, written from its card, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cpunet.files.images import write_text
from cpunet.files.mark import text_is_as_written
from cpunet.model.card import INSTANCES, VOLUMES, ModelCard
from cpunet.onnx_reader.metadata import sha256

MARK = "<!-- written by `cpunet export` from the model card; remove this line to keep your own text -->"


OUT_OF_FOLD = (
    "Out of fold: each image was scored by the one network that was not trained on it. Their mean is not in this "
    "table, as no image is unseen by all."
)


OF_VOLUMES = (
    "SEG, IoU and MUCov are means over the volumes, as Tokuoka et al. 2020 (doi:10.1038/s41540-020-00152-8) score them."
)


def _of_volumes(score: Mapping[str, Any]) -> str:
    """Return the further columns of the scores of volumes; '' for those of images."""
    return "".join(f" {score[name]:.3f} |" for name in ("seg", "iou", "mucov") if name in score)


def _of_folds(folds: Sequence[Mapping[str, Any]]) -> str:
    """Name the networks that are averaged, each with its sum and what it scored on the images that it left out."""
    return "; ".join(
        f"{fold['name']}, SHA-256 `{fold['sha256']}`, mean F1 {fold['mean_f1']:.3f} on the {fold['images_left_out']} "
        "images that it left out"
        for fold in folds
    )


def _before(start: Mapping[str, Any]) -> str:
    return f"; its mean F1 on the validation images was {start['val_mean_f1']:.3f}" if "val_mean_f1" in start else ""


def _started_from(start: Mapping[str, Any]) -> str:
    licence = f"; license of these weights: {start['licence'] or 'not given'}" if "licence" in start else ""
    return f"- **Fine-tuned from:** {start['name']}, SHA-256 `{start['sha256']}`{_before(start)}{licence}"


def _output(card: ModelCard) -> str:
    if card.output.kind == INSTANCES:
        return (
            f"- **Output:** at most {card.postprocessing.max_objects} objects of a tile, each with a box, a score and "
            f"a mask. Tiles overlap by {card.output.halo} pixels on each side."
        )
    return f"- **Output:** {', '.join(card.output.roles)}, each 0 to 1. Tiles need a halo of {halo(card)}."


def halo(card: ModelCard) -> str:
    """Say what the tiles of a network need on each side, and how that was found."""
    if card.input.dimensions == VOLUMES:
        return (
            f"{card.output.halo_planes} planes along Z and {card.output.halo} pixels along Y and X (measured by an "
            "impulse)"
        )
    return f"{card.output.halo} pixels (measured by an impulse)"


def _objects(card: ModelCard) -> list[str]:
    given = card.input
    sizes = (
        f"- **Objects:** {given.diameter_low_px:.0f} to {given.diameter_high_px:.0f} pixels in diameter without "
        f"rescaling; trained at {given.diameter_px:.0f}."
    )
    if given.dimensions != VOLUMES:
        return [sizes]
    return [
        f"{sizes} The diameter is that of a ball of the same volume.",
        f"- **Planes:** trained where two planes lie {given.z_step_px:g} times as far apart as two pixels. Volumes "
        "with another step are resampled to it.",
    ]


def model_readme(card: ModelCard, sums: Mapping[str, str]) -> str:
    """Write what a user must know of a model in Markdown; `sums` are SHA-256 by file name."""
    given = card.input
    image = "volume (3-D)" if given.dimensions == VOLUMES else "image"
    images = "volumes" if given.dimensions == VOLUMES else "images"
    pretrained, start, averaged, folds = (
        card.provenance.get(name) for name in ("pretrained", "start_from", "average_with", "folds")
    )
    lines = [
        f"# {card.name} {card.version}",
        "",
        MARK,
        "",
        card.description,
        "",
        f"- **Input:** {', '.join(given.channels)} ({given.modality}), one {image} of any size and bit depth. Each "
        f"{image} is normalized by its own percentiles {given.normalization.percentile_low:g} and "
        f"{given.normalization.percentile_high:g}.",
        *_objects(card),
        _output(card),
        f"- **Decoding:** {decoding(card)}.",
        f"- **License of the weights:** {card.licence or 'not given'}. **Authors:** "
        f"{', '.join(card.authors) or 'not given'}.",
        *([pretrained_line(pretrained)] if pretrained else []),
        *([_started_from(start)] if start else []),
        *([f"- **Averaged with:** {averaged['name']}, SHA-256 `{averaged['sha256']}`"] if averaged else []),
        *([f"- **Mean of {len(folds)} networks:** {_of_folds(folds)}"] if folds else []),
        *([f"- **Cite:** {card.citation}"] if card.citation else []),
        "",
        "## Training data",
        "",
        f"| set | {images} | objects | license | source | SHA-256 of the files |",
        "|---|---|---|---|---|---|",
        *[
            f"| {data['name']} train | {data['images']} | {data['objects']} | {data['licence']} | {data['source']} | "
            f"`{data['sha256']}` |"
            for data in card.provenance.get("data", [])
        ],
        "",
        f"Training {images} with a duplicate in a validation or test split are left out.",
        "",
        f"## Scores on validation {images}",
        "",
        *([OUT_OF_FOLD, ""] if folds else []),
        "Default settings, the same for all sets; pooled over all objects. Mean F1 is over IoU 0.50 to 0.90, mAP over",
        "0.50 to 0.95. Over- and under-segmented objects are counted as `cpunet.scores` defines them.",
        *([OF_VOLUMES] if given.dimensions == VOLUMES else []),
        "",
        f"| set | {images} | objects | mean F1 | F1 at 0.5 | F1 at 0.7 | F1 at 0.9 | mAP | over / under |"
        f"{' SEG | IoU | MUCov |' if given.dimensions == VOLUMES else ''}",
        f"|---|---|---|---|---|---|---|---|---|{'---|---|---|' if given.dimensions == VOLUMES else ''}",
        *[
            f"| {name}{'' if folds else ' val'} | {score['images']} | {score['objects']} | {score['mean_f1']:.3f} | "
            f"{score['f1_at_0.5']:.3f} | {score['f1_at_0.7']:.3f} | {score['f1_at_0.9']:.3f} | "
            f"{score['mean_average_precision']:.3f} | {score['over_segmented']} / {score['under_segmented']} |"
            f"{_of_volumes(score)}"
            for name, score in card.scores.items()
        ],
        "",
        "## Files",
        "",
        "| file | SHA-256 |",
        "|---|---|",
        *[f"| {name} | `{total}` |" for name, total in sums.items()],
        "",
        "## Rebuild",
        "",
        f"From commit `{card.provenance.get('commit') or 'unknown'}`, seed {card.provenance.get('seed')}, "
        f"{card.provenance.get('steps')} steps:",
        "",
        "```",
        *card.provenance.get("command", "").split(" && "),
        "```",
        "",
    ]
    return "\n".join(lines)


def pretrained_line(pretrained: Mapping[str, Any]) -> str:
    """Say where the weights that the encoder began with come from."""
    licence = pretrained["licence"] or "not known: ask who made the file"
    return (
        f"- **Encoder:** {pretrained['encoder']}, which began with weights of others: {pretrained['source']}. Their "
        f"license: {licence}. SHA-256 `{pretrained['sha256']}`"
    )


def decoding(card: ModelCard) -> str:
    """Say how a model's output becomes objects."""
    settings = card.postprocessing
    if card.output.kind == INSTANCES:
        how = f"scores of {settings.score_threshold:g} and more, masks above {settings.mask_threshold:g}"
    elif set(card.output.roles) == {"boundary"}:
        how = f"boundaries above {settings.boundary_threshold:g}, objects grown by {settings.dilation_px:g} pixels"
    else:
        how = (
            f"foreground above {settings.foreground_threshold:g}, markers above {settings.marker_threshold:g}; markers "
            f"of at least {settings.marker_min_size_px:g} {'voxels' if card.input.dimensions == VOLUMES else 'pixels'}"
        )
    return f"{how}; objects of at least {settings.min_size_px:g}"


def write_readme(folder: Path, card: ModelCard, sums: Mapping[str, str]) -> bool:
    """Write README.md, unless there is one that was written or changed by hand; return whether it was written."""
    path = folder / "README.md"
    if path.exists():
        before = path.read_text(encoding="utf-8", errors="replace")
        # Version 1 wrote no sum, so that only the line tells.
        if MARK not in before or text_is_as_written(before) is False:
            return False
    write_text(path, model_readme(card, sums))
    return True


def report_files(card: ModelCard, *paths: Path) -> None:
    """Say size and sum of the files that an export wrote, and write the README of their folder from the card."""
    sums = {path.name: sha256(path) for path in paths}
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  sha256 {sums[path.name]}")
    readme = paths[0].with_name("README.md")
    if not write_readme(readme.parent, card, sums):
        print(f"{readme} was written or changed by hand and is left as it is; check the sums in it")

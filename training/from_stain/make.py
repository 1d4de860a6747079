"""Make a data set: images without a stain, with labels from the stain."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tifffile
from tqdm import tqdm

from cpunet.errors import DataError, ImageError, OptionError
from cpunet.training.from_stain.contact_sheet import SHEET, STAINS, write_sheet
from cpunet.training.from_stain.crops import Crops
from cpunet.training.from_stain.discarded import DISCARDED, Discarded, write_discarded
from cpunet.training.from_stain.labeled_pair import LabeledCrop, aligned, labeled_crops
from cpunet.training.from_stain.pairing import StainedPair, StainPairing
from cpunet.training.from_stain.quality import PairQuality, QualityLimits, reasons_to_drop
from cpunet.training.from_stain.reading import read_pair
from cpunet.training.from_stain.recipes import Labeler, ModelRecipe, ThesisRecipe, labeler
from cpunet.training.importing.data_set import ImportOptions, import_pairs, refuse_existing
from cpunet.training.importing.files import SourceImage, store_image, store_labels
from cpunet.training.importing.pairs import Pair, Pairing

SHOWN_DISCARDED = 40


@dataclass(frozen=True)
class FromStainOptions:
    """How labels are made from stains.

    Attributes
    ----------
    recipe : ModelRecipe or ThesisRecipe
    crops : Crops
    largest_shift_px : int
        A stain is looked for up to so far from its image, pixels in both directions.
    limits : QualityLimits
        Which pairs are dropped.
    modality : str
        Of the images.
    """

    recipe: ModelRecipe | ThesisRecipe = field(default_factory=ModelRecipe)
    crops: Crops = field(default_factory=Crops)
    largest_shift_px: int = 40
    limits: QualityLimits = field(default_factory=QualityLimits)
    modality: str = "phase_contrast"

    def __post_init__(self) -> None:
        if self.largest_shift_px < 1:
            raise OptionError(f"--largest-shift {self.largest_shift_px}: 1 pixel or more is needed.")


@dataclass(frozen=True)
class Candidate:
    """A labeled crop on disk, before it is judged."""

    source: StainedPair
    pair: Pair
    quality: PairQuality


def make_data_set(pairing: StainPairing, target: Path, options: FromStainOptions) -> list[str]:
    """Write images/, labels/, stains/, index.csv, discarded.csv and the contact sheet, all of them or nothing.

    Parameters
    ----------
    pairing : StainPairing
    target : Path
        A folder that does not exist yet.
    options : FromStainOptions

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    DataError
        If the target exists, or no pair is left; the message says why.
    """
    refuse_existing(target)
    label = labeler(options.recipe)
    discarded = [Discarded(Path(path).name, path, "", reason) for path, reason in pairing.unpaired]
    with tempfile.TemporaryDirectory(prefix="cpunet-") as work:
        candidates, failed, depths = _candidates(pairing, Path(work), label, options)
        discarded += failed
        reasons = reasons_to_drop([each.quality for each in candidates], options.limits)
        kept = [each for each, reason in zip(candidates, reasons, strict=True) if not reason]
        discarded += [
            Discarded(each.pair.id, str(each.source.image), str(each.source.stain), reason)
            for each, reason in zip(candidates, reasons, strict=True)
            if reason
        ]
        sentences = [
            f"{pairing.note}: {len(pairing.pairs)} pairs ({depths})",
            f"recipe: {options.recipe.words}",
            *_said(discarded),
        ]
        if not kept:
            raise DataError("\n  ".join(["No pair is left:", *sentences]))

        def add_files(folder: Path) -> None:
            (folder / STAINS).mkdir()
            for each in kept:
                shutil.copyfile(Path(work, STAINS, f"{each.pair.id}.tif"), folder / STAINS / f"{each.pair.id}.tif")
            write_discarded(folder, discarded)
            write_sheet(folder, discarded, options.recipe.words)

        own = Pairing(tuple(each.pair for each in kept), "own")
        notes = import_pairs([own], target, ImportOptions(options.modality), add_files)
    return [*sentences, *notes, f"left out: {len(discarded)}, see {target / DISCARDED}", f"look at {target / SHEET}"]


def _candidates(
    pairing: StainPairing, work: Path, label: Labeler, options: FromStainOptions
) -> tuple[list[Candidate], list[Discarded], str]:
    """Label all pairs; return the crops, the pairs that cannot be used, and the bit depths in words."""
    for sub in ("images", "labels", STAINS):
        (work / sub).mkdir()
    candidates, failed, depths = [], [], Counter[str]()
    for pair in tqdm(pairing.pairs, desc="labels", unit="pair", disable=None):
        try:
            read = read_pair(pair)
            alignment = aligned(pair, read, options.largest_shift_px)
            crops = labeled_crops(pair.id, read, alignment, label, options.crops)
        except (DataError, ImageError) as error:
            failed.append(Discarded(pair.id, str(pair.image), str(pair.stain), str(error)))
            continue
        depths[f"image {read.image.pixels.dtype}, stain {read.stain_dtype}"] += 1
        cells = {
            "group": pair.group,
            "shift_y": f"{alignment.shift_px[0]:.2f}",
            "shift_x": f"{alignment.shift_px[1]:.2f}",
            **pair.parts,
        }
        candidates += [Candidate(pair, _stored(crop, pair.image, work, cells), crop.quality) for crop in crops]
    return candidates, failed, "; ".join(f"{kind}: {count}" for kind, count in depths.items()) or "none could be used"


def _stored(crop: LabeledCrop, source: Path, work: Path, cells: dict[str, str]) -> Pair:
    store_image(SourceImage(source, crop.image, as_stored=False), work / "images", crop.id)
    store_labels(crop.labels, work / "labels", crop.id)
    tifffile.imwrite(work / STAINS / f"{crop.id}.tif", crop.stain, compression="zlib")
    image, labels = (next((work / sub).glob(f"{crop.id}.*")) for sub in ("images", "labels"))
    return Pair(crop.id, image, (labels,), cells)


def _said(discarded: Sequence[Discarded]) -> list[str]:
    more = len(discarded) - SHOWN_DISCARDED
    return [each.sentence for each in discarded[:SHOWN_DISCARDED]] + ([f"... and {more} more"] if more > 0 else [])

"""Compare the objects that both modules found, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.comparison.pipeline_of_both import Pair
from cpunet.comparison.records import Record, read_record, record_path
from cpunet.comparison.run_both import RunOfBoth
from cpunet.outcomes import OutcomeCounts, count_outcomes, pool_counts
from cpunet.scores import overlap

Floats = npt.NDArray[np.float64]
# Above this IoU an object has one partner at most (Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963).
MATCHED_IOU = 0.5


@dataclass(frozen=True)
class ComparedField:
    """How the objects of one field differ.

    Attributes
    ----------
    name : str
        The image's file name, with as much before it as tells the fields apart.
    record : Path
    primary_count, unet_count : int
    counts : OutcomeCounts
        The fates of the objects of IdentifyPrimaryObjects, as if they were the truth: ``merged`` are those that
        IdentifyObjectsUNet joins, ``cut`` those that it splits; ``missed`` only IdentifyPrimaryObjects found, and
        ``invented`` only IdentifyObjectsUNet.
    areas, intensities : ndarray of shape (n, 2), float64
        Of each object that both found, in pixels, and the mean in the image's own 0..1: by IdentifyPrimaryObjects, and
        by IdentifyObjectsUNet.
    seconds : tuple of two floats or None
        Of each module, by the clock; None if CellProfiler did not say so.
    """

    name: str
    record: Path
    primary_count: int
    unet_count: int
    counts: OutcomeCounts
    areas: Floats
    intensities: Floats
    seconds: Tuple[Optional[float], Optional[float]]

    @property
    def differing(self) -> int:
        """The number of objects that are not the same in both."""
        counts = self.counts
        return counts.wrong_size + counts.merged + counts.cut + counts.missed + counts.invented


@dataclass(frozen=True)
class Comparison:
    """Both modules on all fields, for one IdentifyPrimaryObjects of the pipeline.

    Attributes
    ----------
    objects, image : str
        Their names in the pipeline.
    fields : tuple of ComparedField
        Those that differ most first.
    failed : dict of str to str
        By the field's name, why it is not compared.
    """

    objects: str
    image: str
    fields: Tuple[ComparedField, ...]
    failed: Dict[str, str]

    @property
    def counts(self) -> OutcomeCounts:
        """The fates of all objects, see `ComparedField`."""
        return pool_counts([each.counts for each in self.fields])

    @property
    def primary_count(self) -> int:
        """The number of objects that IdentifyPrimaryObjects found in all fields."""
        return sum(each.primary_count for each in self.fields)

    @property
    def unet_count(self) -> int:
        """The number of objects that IdentifyObjectsUNet found in all fields."""
        return sum(each.unet_count for each in self.fields)

    @property
    def areas(self) -> Floats:
        """Areas of all objects that both found, see `ComparedField`."""
        return np.concatenate([each.areas for each in self.fields])

    @property
    def intensities(self) -> Floats:
        """Mean intensities of all objects that both found, see `ComparedField`."""
        return np.concatenate([each.intensities for each in self.fields])


def compare_run(run: RunOfBoth, number: int, pair: Pair) -> Comparison:
    """Compare what a pair of modules found in each field; `number` is the pair's own, from 1 on."""
    names = field_names(run.fields, pair.image)
    fields: List[ComparedField] = []
    failed: Dict[str, str] = {}
    for field, name in names.items():
        path = record_path(run.folder, number, field)
        if not path.exists():
            failed[name] = run.log.failures.get(field) or run.log.last_error or "CellProfiler stopped before this field"
            continue
        seconds = run.log.seconds.get((field, pair.primary)), run.log.seconds.get((field, pair.unet))
        fields.append(compare_record(name, path, read_record(path), seconds))
    fields.sort(key=lambda each: -each.differing)
    return Comparison(pair.objects, pair.image, tuple(fields), failed)


def compare_record(
    name: str, path: Path, record: Record, seconds: Tuple[Optional[float], Optional[float]] = (None, None)
) -> ComparedField:
    """Compare the objects of one field.

    Examples
    --------
    >>> labels = np.array([[1, 1, 0, 2]], np.int32)
    >>> found = compare_record("a", Path("a"), Record(np.ones((1, 4), np.float32), labels, np.minimum(labels, 1)))
    >>> found.primary_count, found.unet_count, found.areas.tolist(), found.differing
    (2, 1, [[2.0, 3.0]], 2)
    """
    shared = overlap(record.primary, record.unet)
    partners = np.nonzero(shared.iou > MATCHED_IOU)
    both = record.primary, record.unet
    intensities = [mean_intensities(record.image, labels)[rows] for labels, rows in zip(both, partners)]
    return ComparedField(
        name=name,
        record=path,
        primary_count=len(shared.truth_area),
        unet_count=len(shared.prediction_area),
        counts=count_outcomes(record.primary, record.unet),
        areas=np.stack([shared.truth_area[partners[0]], shared.prediction_area[partners[1]]], axis=1),
        intensities=np.stack(intensities, axis=1),
        seconds=seconds,
    )


def mean_intensities(image: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> Floats:
    """Return the mean intensity of each object, in the order of their labels; pixels outside the mask do not count."""
    seen = np.where(np.isfinite(image), labels, 0).ravel()
    length = int(labels.max(initial=0)) + 1
    sums = np.bincount(seen, np.nan_to_num(image.ravel().astype(np.float64)), length)
    areas = np.bincount(seen, minlength=length)
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=length)[1:]) + 1
    means: Floats = sums[present] / np.maximum(areas[present], 1)
    return means


def field_names(fields: Dict[int, Dict[str, str]], image: str) -> Dict[int, str]:
    """Name each field by its image's file, with as many folders before it as tell all apart; else by its number too.

    Parameters
    ----------
    fields : dict of int to dict
        The path of each image by its name, of each image set.
    image : str
        The image in which the objects are; a field without a file of it is named by the first that it has.

    Examples
    --------
    >>> field_names({1: {"DNA": "/plate/A01/0.tif"}, 2: {"DNA": "/plate/A02/0.tif"}}, "DNA")
    {1: 'A01/0.tif', 2: 'A02/0.tif'}
    """
    paths = {}
    for number, files in fields.items():
        chosen = files.get(image) or next(filter(None, files.values()), "")
        paths[number] = [part for part in chosen.replace("\\", "/").split("/") if part]
    longest = max((len(parts) for parts in paths.values()), default=0)
    for length in range(1, longest + 1):
        names = {number: "/".join(parts[-length:]) for number, parts in paths.items()}
        if len(set(names.values())) == len(names) and all(names.values()):
            return names
    return {number: _with_number(number, parts[-1:]) for number, parts in paths.items()}


def _with_number(number: int, file: Sequence[str]) -> str:
    return f"{file[0]}, image set {number}" if file else f"image set {number}"

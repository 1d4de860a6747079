"""Look data sets over before training: what is in them, and what is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cpunet.errors import DataError
from cpunet.training.checking.appearance import Cluster, clusters_of
from cpunet.training.checking.image_facts import ERROR, WARNING, DataProblem, ImageFacts, look_at
from cpunet.training.data.duplicates import SAME_PICTURE, TESTED_SPLITS, leaking_images
from cpunet.training.data.ignored_pixels import IGNORE_FOLDER
from cpunet.training.data.index import INDEX, id_fault, index_problems, is_volume, read_table
from cpunet.training.data.labeled_images import IndexRow, none_for_validation, row_of
from cpunet.training.data.splits import KEPT_SPLIT
from cpunet.training.importing.pairs import image_files
from cpunet.training.volumes.checking.set_of_volumes import set_findings
from cpunet.training.volumes.checking.volume_facts import look_at_volume

USED_SPLITS = {"train", *TESTED_SPLITS}
NEAR_DUPLICATE = 0.95


@dataclass(frozen=True)
class DataReport:
    """What was found in some data sets.

    Attributes
    ----------
    folders : tuple of Path
    rows : tuple of IndexRow
        All that the indices list.
    facts : tuple of ImageFacts
        Of the images that could be read.
    findings : tuple of DataProblem
        Errors first.
    clusters : tuple of Cluster
        Images that look alike.
    """

    folders: tuple[Path, ...]
    rows: tuple[IndexRow, ...]
    facts: tuple[ImageFacts, ...]
    findings: tuple[DataProblem, ...]
    clusters: tuple[Cluster, ...]

    @property
    def errors(self) -> int:
        """The number of findings for which training must not start."""
        return sum(finding.severity == ERROR for finding in self.findings)


def check_data(folders: Sequence[Path]) -> DataReport:
    """Look at every image of some data sets, and at the sets together.

    Parameters
    ----------
    folders : sequence of Path
        The data sets of one training: duplicates are searched across them.

    Returns
    -------
    DataReport
        No problem stops it; each becomes a finding.
    """
    findings: list[DataProblem] = []
    rows: list[IndexRow] = []
    facts: list[ImageFacts] = []
    for folder in folders:
        try:
            table = read_table(folder).rows
        except DataError as error:
            findings.append(DataProblem(ERROR, "index", folder.name, str(error)))
            continue
        findings += [
            DataProblem(ERROR, "index", folder.name, f"{INDEX}: {problem}") for problem in index_problems(table)
        ]
        usable = {cells["id"]: cells for cells in table if not id_fault(cells["id"])}
        of_set = [row_of(folder, cells) for cells in usable.values()]
        for row in tqdm(of_set, desc=f"check {folder.name}", unit="image", disable=None):
            look = look_at_volume if is_volume(usable[row.id], row.image_path) else look_at
            seen, found = look(row, usable[row.id])
            facts += [seen] if seen else []
            findings += found
        findings += [*_split_findings(folder, of_set), *_stray_files(folder, of_set)]
        findings += set_findings(folder, of_set, [is_volume(usable[row.id], row.image_path) for row in of_set])
        rows += of_set
    names = Counter(folder.name for folder in folders)
    findings += [
        DataProblem(ERROR, "index", name, f"{count} of the folders have this name, which must identify a set.")
        for name, count in names.items()
        if count > 1
    ]
    findings += [*_nothing_to_learn(folders, facts), *_group_findings(rows), *_duplicate_findings(rows, facts)]
    clusters = clusters_of(facts)
    findings += _modality_findings(clusters)
    findings.sort(key=lambda finding: finding.severity != ERROR)
    return DataReport(tuple(folders), tuple(rows), tuple(facts), tuple(findings), tuple(clusters))


def _split_findings(folder: Path, rows: Sequence[IndexRow]) -> Iterable[DataProblem]:
    splits = Counter(row.split for row in rows)
    there = ", ".join(f"{name or 'none'} {count}" for name, count in sorted(splits.items())) or "no image"
    for needed in ("train", "val"):
        if not splits[needed] and needed == "val" and none_for_validation(rows):
            what = f"all {splits['train']} images are trained on, so that no score says how well others are done."
            yield DataProblem(WARNING, "split", folder.name, what)
        elif not splits[needed]:
            what = f"no image has the split {needed!r} ({there}). `cpunet data split` draws one."
            yield DataProblem(ERROR, "split", folder.name, what)
    for name in sorted(splits.keys() - USED_SPLITS - {KEPT_SPLIT}):
        what = f"{splits[name]} images have the split {name!r}, which nothing uses"
        yield DataProblem(WARNING, "split", folder.name, f"{what}; train, val, test and excluded are known.")


def _stray_files(folder: Path, rows: Sequence[IndexRow]) -> Iterable[DataProblem]:
    ids = {row.id for row in rows}
    for sub in ("images", "labels", IGNORE_FOLDER):
        if not (folder / sub).is_dir():
            continue
        strays = [path.name for path in image_files(folder / sub) if path.stem not in ids]
        if strays:
            what = f"{len(strays)} files in {sub}/ are not in {INDEX} and not used, such as {strays[0]}."
            yield DataProblem(WARNING, "stray", folder.name, what)


def _nothing_to_learn(folders: Sequence[Path], facts: Sequence[ImageFacts]) -> Iterable[DataProblem]:
    for folder in folders:
        trained = [seen for seen in facts if seen.row.folder == folder and seen.row.split == "train"]
        if trained and not any(len(seen.diameters_px) for seen in trained):
            yield DataProblem(ERROR, "split", folder.name, f"none of the {len(trained)} train images has an object.")


def _group_findings(rows: Sequence[IndexRow]) -> Iterable[DataProblem]:
    groups: dict[tuple[Path, str], list[IndexRow]] = defaultdict(list)
    for row in rows:
        if row.group and row.split in USED_SPLITS:
            groups[row.folder, row.group].append(row)
    for (folder, group), members in groups.items():
        splits = {row.split for row in members}
        if len(splits) > 1:
            what = f"the group {group!r} is in {' and '.join(sorted(splits))}; its images must stay on one side."
            yield DataProblem(ERROR, "group", folder.name, f"{what} `cpunet data split` keeps groups together.")


def _duplicate_findings(rows: Sequence[IndexRow], facts: Sequence[ImageFacts]) -> Iterable[DataProblem]:
    known = leaking_images(rows)
    used = [seen for seen in facts if seen.row.split in USED_SPLITS]
    by_pixels: dict[str, list[ImageFacts]] = defaultdict(list)
    for seen in used:
        by_pixels[seen.pixels].append(seen)
    exact = {(first.row.key, second.row.key) for same in by_pixels.values() for first, second in combinations(same, 2)}
    for first, second, likeness in near_duplicates(used):
        same = (first.row.key, second.row.key) in exact
        how = "the same pixels" if same else f"nearly the same picture (correlation {likeness:.3f})"
        what = f"{how} as {'/'.join(second.row.key)} ({first.row.split} and {second.row.split})"
        splits = {first.row.split, second.row.split}
        severity = WARNING
        if "train" in splits and len(splits) > 1:
            trained = first if first.row.split == "train" else second
            if trained.row.key in known:
                what += "; the index says so, and it is left out of training."
            else:
                severity = ERROR if likeness > SAME_PICTURE else WARNING
                what += "; so that is tested which was trained on. Name its duplicate in duplicate_of, or exclude one."
        elif "test" in splits and len(splits) > 1:
            what += "; settings chosen on one are tested on the other."
        else:
            what += "; it counts twice."
        yield DataProblem(
            severity, "duplicate" if same else "near-duplicate", "/".join(first.row.key), what, (first.row, second.row)
        )


def near_duplicates(facts: Sequence[ImageFacts]) -> list[tuple[ImageFacts, ImageFacts, float]]:
    """Find images that show the same, independent of bit depth, contrast and size.

    Returns
    -------
    list of (ImageFacts, ImageFacts, float)
        Pairs, and the correlation of their fine structure, `NEAR_DUPLICATE`..1; 1 for the same pixels. Rotated and
        mirrored copies are not found. Images of one value have no structure and no duplicates.
    """
    facts = [seen for seen in facts if seen.thumbnail.any()]
    if not facts:
        return []
    thumbnails = np.stack([seen.thumbnail.ravel() for seen in facts])
    pixels = np.array([seen.pixels for seen in facts])
    found = []
    for position, seen in enumerate(facts[:-1]):
        likeness = np.minimum(thumbnails[position + 1 :] @ thumbnails[position], 1.0)
        same = pixels[position + 1 :] == seen.pixels
        found += [
            (seen, facts[position + 1 + offset], 1.0 if same[offset] else float(likeness[offset]))
            for offset in np.flatnonzero(same | (likeness > NEAR_DUPLICATE))
        ]
    return found


def _modality_findings(clusters: Sequence[Cluster]) -> Iterable[DataProblem]:
    """Point at images that look like those of another modality than their own."""
    home: dict[str, Cluster] = {}
    for cluster in clusters:
        for modality, count in cluster.modalities.items():
            if modality not in home or count > home[modality].modalities[modality]:
                home[modality] = cluster
    for number, cluster in enumerate(clusters, start=1):
        usual = max(cluster.modalities, key=lambda name: cluster.modalities[name])
        for modality, count in cluster.modalities.items():
            if modality != usual and home[modality] is not cluster:
                strays = tuple(seen.row for seen in cluster.facts if seen.row.modality == modality)
                first = "/".join(strays[0].key)
                what = f"{count} images of modality {modality!r}, {first} first, look like cluster {number}"
                yield DataProblem(WARNING, "modality", "all sets", f"{what}, which is mostly {usual!r}.", strays[:2])

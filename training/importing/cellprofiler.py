"""Find images and their labels in the output folder of a CellProfiler pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cpunet.errors import DataError, ImageError, LabelFileError
from cpunet.training.importing.label_files import guess_format, read_labels
from cpunet.training.importing.pairs import Pair, Pairing, image_files

SEPARATORS = "_-. "
LOOKED_AT = 60
ASK = "Say which files to pair: --image-suffix and --labels-suffix take what SaveImages appended to the names."


def pair_cellprofiler(folder: Path, image_suffix: str | None, labels_suffix: str | None) -> Pairing:
    """Pair images with label images that ConvertObjectsToImage and SaveImages wrote.

    Parameters
    ----------
    folder : Path
        CellProfiler's output folder; sub-folders are searched.
    image_suffix, labels_suffix : str or None
        What SaveImages appended to the two names: BASE_DNA.tiff and BASE_Nuclei.tiff. None for both looks into the
        files and chooses.

    Returns
    -------
    Pairing
        Named by BASE; with the sub-folder if BASE occurs twice.

    Raises
    ------
    DataError
        If the choice is not clear, or nothing pairs.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder.")
    if (image_suffix is None) != (labels_suffix is None):
        raise DataError("Give both --image-suffix and --labels-suffix, or neither.")
    files = image_files(folder, recursive=True)
    notes = []
    if image_suffix is None or labels_suffix is None:
        image_suffix, labels_suffix = choose_suffixes(folder, files)
        chosen = f"--image-suffix '{image_suffix}' --labels-suffix '{labels_suffix}'"
        notes.append(f"chosen by looking into the files: {chosen}.")
    if image_suffix == labels_suffix:
        raise DataError(f"--image-suffix and --labels-suffix are the same, {image_suffix!r}. {ASK}")
    images, labels = {}, {}
    for path in files:
        # The longer suffix is asked first: of '' and '_Nuclei', every name ends in ''.
        for suffix, found in sorted(((image_suffix, images), (labels_suffix, labels)), key=lambda each: -len(each[0])):
            if path.stem.endswith(suffix) and len(path.stem) > len(suffix):
                base = path.parent.relative_to(folder) / path.stem[: len(path.stem) - len(suffix)]
                if base in found:
                    raise DataError(f"{path}: {found[base].name} beside it has the same name; which of them counts?")
                found[base] = path
                break
    both = sorted(images.keys() & labels.keys())
    if not both:
        raise DataError(
            f"{folder}: no file BASE{image_suffix} has a file BASE{labels_suffix} beside it (PNG or TIFF; "
            f"{len(images)} images, {len(labels)} label images). {ASK}"
        )
    names = _names(both)
    label_format = "colors" if any(guess_format(labels[base]) == "colors" for base in both[:5]) else "instances"
    if label_format == "colors":
        notes.append(
            'labels: colors, from ConvertObjectsToImage\'s "Color"; touching objects of one color become one. Choose '
            '"uint16" there to be safe.'
        )
    else:
        notes.append("labels: instances, one number an object.")
    pairs = tuple(Pair(name, images[base], (labels[base],)) for base, name in zip(both, names, strict=True))
    unpaired = [f"{images[base]}: there are no labels for this image." for base in sorted(images.keys() - set(both))]
    # With an image suffix of '' every other file of the folder would count as an image without labels.
    unpaired = unpaired if image_suffix else []
    unpaired += [f"{labels[base]}: there is no image for these labels." for base in sorted(labels.keys() - set(both))]
    return Pairing(pairs, label_format, tuple(unpaired), tuple(notes))


def choose_suffixes(folder: Path, files: Iterable[Path]) -> tuple[str, str]:
    """Find the label images among at most `LOOKED_AT` files, and the suffixes of images and labels.

    Raises
    ------
    DataError
        If no file is a label image, or two pairs of suffixes fit equally many files.
    """
    files = list(files)[:LOOKED_AT]
    labels = [path for path in files if is_label_image(path)]
    if not labels:
        raise DataError(f"{folder}: none of the first {len(files)} PNG and TIFF files is a label image. {ASK}")
    others = sorted(set(files) - set(labels))
    fits: Counter[tuple[str, str]] = Counter()
    for path in labels:
        for other in others:
            if other.parent == path.parent:
                shared = _shared_name(path.stem, other.stem)
                if shared:
                    fits[other.stem[shared:], path.stem[shared:]] += 1
    best = fits.most_common(3)
    if not best:
        raise DataError(f"{folder}: no label image has an image beside it whose name begins the same. {ASK}")
    tied = [pair for pair, count in best if count == best[0][1]]
    if len(tied) > 1:
        listed = " or ".join(f"--image-suffix '{image}' --labels-suffix '{label}'" for image, label in tied)
        raise DataError(f"{folder}: several pairs fit: {listed}. {ASK}")
    return tied[0]


def is_label_image(path: Path) -> bool:
    """Return whether a file can be read as labels and holds an object."""
    try:
        return bool(read_labels([path], guess_format(path)).labels.any())
    except (LabelFileError, ImageError):
        return False


def _shared_name(first: str, second: str) -> int:
    """Return the length of the common start of two names, up to a separator or the end of one."""
    same = [a == b for a, b in zip(first, second, strict=False)]
    shared = same.index(False) if False in same else len(same)
    if shared in (len(first), len(second)):
        return shared
    while shared and first[shared] not in SEPARATORS:
        shared -= 1
    return shared


def _names(bases: Iterable[Path]) -> list[str]:
    bases = list(bases)
    count = Counter(base.name.casefold() for base in bases)
    return [base.name if count[base.name.casefold()] == 1 else "_".join(base.parts) for base in bases]

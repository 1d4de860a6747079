"""``cpunet data``: import, download, check and split the images that models are trained on."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import find_folders
from cpunet.files.outputs import check_output
from cpunet.training.checking.check import check_data
from cpunet.training.checking.report import report_text, write_report
from cpunet.training.commands import import_volumes, synthetic_volumes
from cpunet.training.data.data_sets import HELP, data_sets_in
from cpunet.training.data.index import read_checked_table
from cpunet.training.data.splits import (
    FRACTIONS,
    counted,
    inseparable,
    split_at_random,
    split_by_column,
    split_in_folds,
    write_splits,
)
from cpunet.training.importing.by_name import pair_by_name
from cpunet.training.importing.cellprofiler import pair_cellprofiler
from cpunet.training.importing.data_set import ImportOptions, import_pairs, pair_sources
from cpunet.training.importing.ignore_masks import with_ignore_masks
from cpunet.training.importing.joined_channels import with_joined_channels
from cpunet.training.importing.public_sets import PUBLIC_SETS, download, with_sums

FORMATS = ("instances", "masks", "colors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_import(actions.add_parser("import", help="make a data set from images and labels that you have"))
    volumes = actions.add_parser("import-volumes", help="make a data set from stacks of planes and their labels")
    _add_common(volumes)
    import_volumes.add_arguments(volumes)
    _add_download(actions.add_parser("download", help="download a public data set from its publisher"))
    check = actions.add_parser("check", help="find problems in data sets before training")
    check.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help=f"all {HELP} of one training")
    check.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with pictures as well")
    check.add_argument("--overwrite", action="store_true", help="let the page replace a file that cpunet did not write")
    check.set_defaults(do=_check)
    synthetic_volumes.add_arguments(
        actions.add_parser("synthetic-volumes", help="make labeled volumes of drawn nuclei with real textures")
    )
    _add_split(actions.add_parser("split", help="decide which images are for training, validation and test"))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for, and return 1 if a check found errors."""
    code: int = arguments.do(arguments)
    return code


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="data sets, or ID/images and ID/masks")
    parser.add_argument("--images", type=Path, metavar="DIR", help="images, PNG or TIFF; with --labels")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="their labels, of the same names: label images, ImageJ's ROIs, GeoJSON, _seg.npy; or a COCO file",
    )
    parser.add_argument(
        "--ignore", type=Path, metavar="DIR", help="masks of what is not labeled, of the images' names; with --images"
    )
    parser.add_argument(
        "--label-format", choices=FORMATS, help="of label images; by default it is found from the files"
    )
    parser.add_argument("--cellprofiler", type=Path, metavar="DIR", help="output folder of a CellProfiler pipeline")
    parser.add_argument("--image-suffix", metavar="TEXT", help="what the images' names end in: _DNA")
    parser.add_argument("--labels-suffix", metavar="TEXT", help="what the labels' names end in: _Nuclei, _seg.npy")
    parser.add_argument(
        "--series", type=int, metavar="N", help="the image to take from TIFF files with several (1 to n)"
    )
    channels = parser.add_mutually_exclusive_group()
    channels.add_argument(
        "--channel-suffixes",
        nargs="+",
        metavar="TEXT",
        help="each channel is a gray file; what their names end in, in order: _z1 _z2 _z3; with --images",
    )
    channels.add_argument(
        "--depths-as-channels", action="store_true", help="the depths of TIFF files (a focus stack) are channels"
    )
    parser.add_argument("--skip-unpaired", action="store_true", help="leave out images without labels, and the reverse")
    parser.add_argument("--group", metavar="PATTERN", help="what must stay together, as in '^(plate.)_'")
    _add_common(parser)
    parser.add_argument("--modality", default=ImportOptions.modality, metavar="NAME", help="such as fluorescence")
    parser.set_defaults(do=_import)


def _add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=PUBLIC_SETS, help="the public data set")
    _add_common(parser)
    parser.add_argument("--archives", type=Path, metavar="DIR", help="where to keep the archives (FOLDER-archives)")
    parser.add_argument("--from-url", metavar="URL", help="a mirror's folder with the same archives")
    parser.add_argument(
        "--sha256", action="append", default=[], metavar="NAME=SUM", help="another sum for one of the archives"
    )
    parser.set_defaults(do=_download)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="the new data set")
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="also search this data set for duplicates",
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the data set, whose index.csv is written anew")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--column", metavar="NAME", help="take the splits from this column of index.csv")
    ways.add_argument("--random", action="store_true", help="draw them")
    ways.add_argument("--folds", type=int, metavar="K", help="draw K folds for cross-validation")
    parser.add_argument("--rename", nargs="+", default=[], metavar="OLD=NEW", help="with --column: training=train")
    parser.add_argument(
        "--fractions", nargs="+", metavar="NAME=SHARE", help="with --random (train=0.8 val=0.1 test=0.1)"
    )
    parser.add_argument("--validate-on", type=int, metavar="k", help="with --folds: the fold to validate on, 1 to K")
    parser.add_argument("--stratify", metavar="NAME", help="share each value of this column out alike: modality")
    parser.add_argument("--seed", type=int, default=1, help="of the random draw (1)")
    parser.set_defaults(do=_split)


def _import(arguments: argparse.Namespace) -> int:
    if arguments.images is None and arguments.label_format is not None:
        raise DataError("--label-format goes with --images and --labels; other sources have a known format.")
    suffixes = arguments.image_suffix, arguments.labels_suffix
    if arguments.channel_suffixes is not None:
        if arguments.images is None or arguments.image_suffix is not None:
            raise DataError(
                "--channel-suffixes goes with --images and --labels, and takes the place of --image-suffix."
            )
        suffixes = arguments.channel_suffixes[0], arguments.labels_suffix
    if arguments.depths_as_channels and arguments.images is None:
        raise DataError("--depths-as-channels goes with --images and --labels.")
    if arguments.cellprofiler is None and arguments.images is None and suffixes != (None, None):
        raise DataError("--image-suffix and --labels-suffix go with --images and --labels, or with --cellprofiler.")
    if (arguments.images is None) != (arguments.labels is None):
        raise DataError("--images and --labels belong together: give both.")
    if arguments.images is None and arguments.ignore is not None:
        raise DataError("--ignore goes with --images and --labels; a data set has its folder ignore/.")
    if arguments.series is not None and (arguments.images is None or arguments.series < 1):
        raise DataError("--series goes with --images and --labels, and is 1 or more.")
    pairings = pair_sources(find_folders(arguments.sources))
    if arguments.images is not None:
        series = arguments.series
        named = pair_by_name(arguments.images, arguments.labels, arguments.label_format, *suffixes, series)
        if arguments.channel_suffixes is not None:
            named = with_joined_channels(named, arguments.channel_suffixes)
        if arguments.ignore is not None:
            named = with_ignore_masks(named, arguments.ignore)
        if series is not None:
            named = replace(named, pairs=tuple(replace(pair, id=f"{pair.id}_{series}") for pair in named.pairs))
        pairings.append(named)
    if arguments.cellprofiler is not None:
        pairings.append(pair_cellprofiler(arguments.cellprofiler, *suffixes))
    if not pairings:
        raise DataError("Say what to import: SOURCE, --images and --labels, or --cellprofiler.")
    against = tuple(folder.resolve() for folder in find_folders(arguments.against))
    options = ImportOptions(
        arguments.modality,
        arguments.group,
        against,
        arguments.skip_unpaired,
        arguments.series,
        arguments.depths_as_channels,
    )
    notes = import_pairs(pairings, arguments.output, options)
    print("\n".join([*notes, f"next: cpunet data check {arguments.output} --report check.html"]))
    return 0


def _download(arguments: argparse.Namespace) -> int:
    public = with_sums(PUBLIC_SETS[arguments.name], _named(arguments.sha256, "--sha256"))
    output = arguments.output
    archives = arguments.archives or output.with_name(f"{output.name}-archives")
    options = ImportOptions(against=tuple(folder.resolve() for folder in find_folders(arguments.against)))
    print("\n".join(download(public, output, archives, arguments.from_url, options)))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.report is not None:
        check_output(arguments.report, overwrite=arguments.overwrite)
    words = find_folders(arguments.folders)
    report = check_data([folder.resolve() for word in words for folder in data_sets_in(word) or [word]])
    print(report_text(report))
    if arguments.report is not None:
        write_report(report, arguments.report)
        print(f"report: {arguments.report}")
    return 1 if report.errors else 0


def _split(arguments: argparse.Namespace) -> int:
    _refuse_what_does_not_apply(arguments)
    folder, seed, stratify = arguments.folder, arguments.seed, arguments.stratify
    table = read_checked_table(folder)
    if arguments.column is not None:
        rows = split_by_column(table.rows, arguments.column, _named(arguments.rename, "--rename"))
    elif arguments.random:
        shares = _shares(arguments.fractions) if arguments.fractions else FRACTIONS
        rows = split_at_random(table.rows, inseparable(folder, table.rows), shares, seed, stratify)
    else:
        families = inseparable(folder, table.rows)
        rows = split_in_folds(table.rows, families, arguments.folds, arguments.validate_on, seed, stratify)
    write_splits(folder, table, rows, keep_folds=arguments.folds is not None or arguments.column == "fold")
    print(f"{folder}: {counted(rows)} (was: {counted(table.rows)})")
    return 0


def _refuse_what_does_not_apply(arguments: argparse.Namespace) -> None:
    """Refuse an option of `data split` that would have no effect."""
    if arguments.rename and arguments.column is None:
        raise DataError("--rename goes with --column.")
    if arguments.fractions is not None and not arguments.random:
        raise DataError("--fractions goes with --random.")
    if arguments.validate_on is not None and arguments.folds is None:
        raise DataError("--validate-on goes with --folds.")
    if arguments.folds is not None and arguments.validate_on is None:
        raise DataError(f"--folds {arguments.folds} needs --validate-on, 1 to {arguments.folds}.")
    if arguments.stratify is not None and arguments.column is not None:
        raise DataError("--stratify goes with --random or --folds; --column draws nothing.")
    if arguments.seed < 0:
        raise DataError(f"--seed {arguments.seed}: a whole number from 0 on is needed.")


def _named(pairs: list[str], option: str) -> dict[str, str]:
    parted = [pair.partition("=") for pair in pairs]
    wrong = [pair for pair, (name, sign, value) in zip(pairs, parted, strict=True) if not (name and sign and value)]
    if wrong:
        raise DataError(f"{option} {wrong[0]}: NAME=VALUE is needed.")
    return {name: value for name, _, value in parted}


def _shares(pairs: list[str]) -> dict[str, float]:
    try:
        return {name: float(share) for name, share in _named(pairs, "--fractions").items()}
    except ValueError as error:
        raise DataError(f"--fractions: each must be a number, such as train=0.8 ({error}).") from error

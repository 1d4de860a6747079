"""``cpunet import-bioimageio``: convert a bioimage.io package to one model file with a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.export.bioimageio.archive import open_package
from cpunet.export.bioimageio.import_package import import_package
from cpunet.export.card.answers import add_answers, answered
from cpunet.files.find import identity
from cpunet.files.outputs import check_output
from cpunet.onnx_reader.metadata import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="a zip archive, its folder, or its rdf.yaml")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the .onnx file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE though cpunet did not write it")
    add_answers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import a package."""
    output = arguments.output
    check_output(output, {identity(arguments.package)}, arguments.overwrite)
    for note in import_package(open_package(arguments.package), output, answered(arguments)):
        print(note)
    print(f"{output}  {output.stat().st_size / 1e6:.2f} MB  sha256 {sha256(output)}")
    return 0

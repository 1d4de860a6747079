"""``cpunet import-bioimageio``: a bioimage.io package in, one model file with its card out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpunet.export.bioimageio.archive import open_package
from cpunet.export.bioimageio.import_package import import_package
from cpunet.export.card.answers import add_answers, answered
from cpunet.model.card import ModelError
from cpunet.model.session import RuntimeMissingError
from cpunet.onnx_reader.metadata import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="a zip archive, its folder, or its rdf.yaml")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the .onnx file to write")
    add_answers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import and return 0, or 1 with the reason."""
    package, output = arguments.package, arguments.output
    try:
        notes = import_package(open_package(package), output, answered(arguments))
    except (ModelError, RuntimeMissingError, OSError) as error:
        place = "" if str(package) in str(error) else f"{package}: "
        print(f"cpunet import-bioimageio: {place}{error}", file=sys.stderr)
        return 1
    for note in notes:
        print(note)
    print(f"{output}  {output.stat().st_size / 1e6:.2f} MB  sha256 {sha256(output)}")
    return 0

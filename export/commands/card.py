"""``cpunet card``: read a model's card, change a field of it, or add one to an ONNX file of another program."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cpunet.export.card.add import add_card
from cpunet.export.card.answers import add_answers, answered
from cpunet.export.card.edit import edit_card
from cpunet.export.card.file import card_content
from cpunet.export.card.page import card_page
from cpunet.model.find import find_model
from cpunet.onnx_reader.metadata import read_card, read_metadata, sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = actions.add_parser("show", help="read a card as a page")
    shown.add_argument("model", metavar="FILE|NAME", help="an .onnx file, or a model's name")
    shown.add_argument("--json", action="store_true", help="print the card's JSON instead")
    shown.set_defaults(do=show)
    edited = actions.add_parser("edit", help="change fields of a card")
    edited.add_argument("file", type=Path, metavar="FILE", help="the .onnx file")
    edited.add_argument(
        "--set",
        dest="changes",
        action="append",
        required=True,
        metavar="FIELD=VALUE",
        help="such as postprocessing.marker_threshold=0.3; may be repeated",
    )
    edited.set_defaults(do=edit)
    added = actions.add_parser("add", help="write a card into an ONNX file that has none")
    added.add_argument("file", type=Path, metavar="FILE", help="the .onnx file")
    add_answers(added)
    added.set_defaults(do=add)


def run(arguments: argparse.Namespace) -> int:
    """Show, change or add a card."""
    arguments.do(arguments)
    return 0


def show(arguments: argparse.Namespace) -> None:
    """Print a card."""
    path = find_model(arguments.model)
    card = read_card(path)
    if arguments.json:
        print(json.dumps(card_content(path, read_metadata(path)), indent=2, sort_keys=True))
    else:
        print(card_page(card, str(path), path.stat().st_size, sha256(path)))


def edit(arguments: argparse.Namespace) -> None:
    """Change fields of a card."""
    print("\n".join(edit_card(arguments.file, arguments.changes)))


def add(arguments: argparse.Namespace) -> None:
    """Write a card into an ONNX file that has none."""
    print("\n".join(add_card(arguments.file, answered(arguments))))

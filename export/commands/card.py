"""``cpunet card``: read a model's card, change a field of it, or add one to an ONNX file of another program."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cpunet.checks.halo import FIELD_PX
from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.errors import ModelError
from cpunet.export.card.answers import add_answers, answered, check_complete, with_defaults
from cpunet.export.card.declared import declared_channels
from cpunet.export.card.fields import check_known, field_value, value_from_text, with_field
from cpunet.export.card.file import (
    card_content,
    checked_text,
    network,
    replace_card,
    with_metadata,
)
from cpunet.export.card.measured import computed_test, measured_fields
from cpunet.export.card.page import card_page
from cpunet.model.card import METADATA_KEY, card_from_json, card_to_json
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
        print(json.dumps(card_content(path), indent=2, sort_keys=True))
    else:
        print(card_page(card, str(path), path.stat().st_size, sha256(path)))


def edit(arguments: argparse.Namespace) -> None:
    """Change fields of a card, and nothing else in the file."""
    path: Path = arguments.file
    content = card_content(path)
    changes = dict(_change(change) for change in arguments.changes)
    check_known(changes)
    before, changed = sha256(path), content
    for name, text in changes.items():
        changed = with_field(changed, name, value_from_text(name, text))
    replace_card(path, path.read_bytes(), checked_text(changed))
    for name in changes:
        old = field_value(content, name)
        print(f"{name}: {'not given' if old is None else json.dumps(old)} -> {json.dumps(field_value(changed, name))}")
    _print_sums(path, before)


def _change(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise ModelError(f"--set takes FIELD=VALUE, such as postprocessing.marker_threshold=0.3; it is {text!r}.")
    return name.strip(), value


def add(arguments: argparse.Namespace) -> None:
    """Write a card into an ONNX file that has none; what its author did not say of sizes is measured."""
    path: Path = arguments.file
    if METADATA_KEY in read_metadata(path):
        raise ModelError(f"{path}: it carries a model card already. Change its fields with `cpunet card edit`.")
    onnx_bytes = path.read_bytes()
    declared = declared_channels(network(onnx_bytes))
    answers = answered(arguments)
    check_complete(answers, declared)
    content = with_defaults(answers)
    checked_text(content)  # before the minutes that measuring may take
    before = sha256(path)
    measured = measured_fields(path, onnx_bytes, answers, content)
    for name, value in measured.items():
        content = with_field(content, name, value)
    # Written out in full, with all that was left at its default.
    text = card_to_json(card_from_json(checked_text(content)))
    replace_card(path, with_metadata(onnx_bytes, STORED_TEST_KEY, computed_test(path, onnx_bytes, text)), text)
    for name, value in measured.items():
        print(f"{name}: {value}, measured")
    if measured.get("output.halo", 0) > FIELD_PX // 2:
        print(
            "One pixel changes the result at all distances that were tried: this network looks at the whole image, so "
            "that one larger than a tile (1024 pixels) may show the tiles' edges."
        )
    _print_sums(path, before)
    print(f"Read the card with: cpunet card show {path}")


def _print_sums(path: Path, before: str) -> None:
    """Say by which sums the file is known, as results record them."""
    print(f"SHA-256 before  {before}")
    print(f"SHA-256 after   {sha256(path)}")
    readme = path.with_name("README.md")
    if readme.is_file() and before in readme.read_text(encoding="utf-8", errors="replace"):
        print(f"{readme} names the sum before: write the new one into it.")

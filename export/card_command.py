"""``cpunet card``: read a model's card, change a field of it, or add one to an ONNX file of another program."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from cpunet.export.card_answers import add_answers, answered, check_complete, with_defaults
from cpunet.export.card_fields import check_known, field_value, value_from_text, with_field
from cpunet.export.card_file import (
    card_content,
    checked_text,
    errors_name,
    network,
    replace_card,
    with_card,
    with_metadata,
)
from cpunet.export.card_page import card_page
from cpunet.export.foreign_onnx import declared_channels, measured_sizes
from cpunet.halo import FIELD_PX, measure_halo
from cpunet.model_card import METADATA_KEY, ModelError, card_from_json, card_to_json
from cpunet.model_files import find_model
from cpunet.onnx_file import read_card, read_metadata, sha256
from cpunet.session import RuntimeMissingError, load_model
from cpunet.stored_test import STORED_TEST_KEY, StoredTest, drawn_input, stored_test_to_json


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
    """Do what was asked for and return 0, or 1 with the reason."""
    try:
        arguments.do(arguments)
    except (ModelError, RuntimeMissingError, OSError) as error:
        file = getattr(arguments, "file", None)
        place = f"{file}: " if file and str(file) not in str(error) else ""
        print(f"cpunet card {arguments.action}: {place}{error}", file=sys.stderr)
        return 1
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
    measured = _measured(path, onnx_bytes, answers, content)
    for name, value in measured.items():
        content = with_field(content, name, value)
    # Written out in full, with all that was left at its default.
    text = card_to_json(card_from_json(checked_text(content)))
    replace_card(path, with_metadata(onnx_bytes, STORED_TEST_KEY, _stored_test(path, onnx_bytes, text)), text)
    for name, value in measured.items():
        print(f"{name}: {value}, measured")
    if measured.get("output.halo", 0) > FIELD_PX // 2:
        print(
            "One pixel changes the result at all distances that were tried: this network looks at the whole image, so "
            "that one larger than a tile (1024 pixels) may show the tiles' edges."
        )
    _print_sums(path, before)
    print(f"Read the card with: cpunet card show {path}")


def _measured(path: Path, onnx_bytes: bytes, answers: dict[str, Any], draft: dict[str, Any]) -> dict[str, int]:
    """Measure what nobody answered for, on a copy; values by the fields' dotted names."""
    wanted = [name for name in ("input.divisible_by", "input.min_size", "output.halo") if not _given(answers, name)]
    if not wanted:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(with_card(onnx_bytes, checked_text(draft)))
        with errors_name(path, instead_of=copy):
            model = load_model(copy, device="cpu")
            unit, smallest = (field_value(answers, f"input.{name}") for name in ("divisible_by", "min_size"))
            if unit is None or smallest is None:
                sizes = measured_sizes(model, unit)
                unit, smallest = sizes["divisible_by"], smallest or sizes["min_size"]
            found = {"input.divisible_by": unit, "input.min_size": smallest}
            if "output.halo" in wanted:
                found["output.halo"] = measure_halo(model.predict, len(model.card.input.channels), unit, smallest)
    return {name: found[name] for name in wanted}


def _stored_test(path: Path, onnx_bytes: bytes, text: str) -> str:
    """Let the network compute a test here, by which others can tell whether it computes the same there."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(with_card(onnx_bytes, text))
        with errors_name(path, instead_of=copy):
            model = load_model(copy, device="cpu")
            image = drawn_input(model.card.input)
            return stored_test_to_json(StoredTest(image, model.predict(image)))


def _given(answers: dict[str, Any], name: str) -> bool:
    return field_value(answers, name) is not None


def _print_sums(path: Path, before: str) -> None:
    """Say by which sums the file is known, as results record them."""
    print(f"SHA-256 before  {before}")
    print(f"SHA-256 after   {sha256(path)}")
    readme = path.with_name("README.md")
    if readme.is_file() and before in readme.read_text(encoding="utf-8", errors="replace"):
        print(f"{readme} names the sum before: write the new one into it.")

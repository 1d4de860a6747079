"""The command line: ``python -m cpunet``, also installed as ``cpunet``."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import List, Optional

from cpunet import __version__
from cpunet.errors import CpunetError

# Each names a module with add_arguments(parser) and run(arguments) -> exit code. Imported late, so that a
# machine without torch can segment, and one without onnxruntime can train. Commands return 0 or 1
# and raise errors; `main` prints those and returns 2.
COMMANDS = {
    "segment": ("cpunet.commands.segment", "find objects in image files"),
    "calibrate": (
        "cpunet.commands.calibrate",
        "find the level of outlines and the threshold that suit a few labeled images",
    ),
    "models": ("cpunet.commands.models", "list all models that are found, with their cards"),
    "verify": ("cpunet.commands.verify", "check a model file against its card"),
    "doctor": ("cpunet.commands.doctor", "report the installed packages, the device that is used, and its speed"),
    "data": (
        "cpunet.training.commands.data",
        "import, download, check and split labeled images (needs cpunet[training])",
    ),
    "train": ("cpunet.training.commands.train", "train a model from images and labels (needs cpunet[training])"),
    "evaluate": (
        "cpunet.training.commands.evaluate",
        "score a model, and label images of other programs, on labeled images (needs cpunet[training])",
    ),
    "export": ("cpunet.export.commands.export", "write trained weights as an ONNX file (needs cpunet[training])"),
    "card": (
        "cpunet.export.commands.card",
        "read a model's card, change it, or add one to a file (needs cpunet[training])",
    ),
    "demo-swap": (
        "cpunet.export.commands.demo_swap",
        "tutorial on synthetic images: from corrected objects to your own model in a pipeline (needs cpunet[training])",
    ),
    "import-bioimageio": (
        "cpunet.export.commands.import_bioimageio",
        "convert a bioimage.io package to a model file (needs cpunet[training])",
    ),
}


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the program's name; those of the process by default.

    Returns
    -------
    int
        0: all went well. 1: it was done, and some image failed or some check did not pass. 2: it could not be done;
        a line on the error stream says why.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name = next((word for word in arguments if word in COMMANDS), None)
    parser = argparse.ArgumentParser(prog="cpunet", description="Nuclei and cells with a U-Net.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = None
    for known, (module, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(known, help=summary, description=summary)
        if known == name:
            try:
                command = importlib.import_module(module)
            except ImportError as error:
                extra = "training" if module.startswith(("cpunet.training", "cpunet.export")) else "plugin"
                print(
                    f"cpunet {name}: {error}. Packages that this command needs are not installed here. In the folder "
                    f'of the repository: "{sys.executable}" -m pip install --editable ".[{extra}]"',
                    file=sys.stderr,
                )
                return 2
            command.add_arguments(subparser)
    parsed = parser.parse_args(arguments)
    assert command is not None  # argparse has refused everything else
    try:
        code: int = command.run(parsed)
    except (CpunetError, OSError) as error:
        print(f"{_command_line(parsed)}: {_about(parsed, str(error))}", file=sys.stderr)
        return 2
    return code


def _command_line(parsed: argparse.Namespace) -> str:
    """Return the command, and its action if it has several, as the user typed them."""
    return " ".join(["cpunet", parsed.command, *([parsed.action] if hasattr(parsed, "action") else [])])


def _about(parsed: argparse.Namespace, message: str) -> str:
    """Put the file that the command works on before a message that does not name it."""
    subject = str(getattr(parsed, "file", None) or getattr(parsed, "package", None) or "")
    return message if subject in message else f"{subject}: {message}"


if __name__ == "__main__":
    sys.exit(main())

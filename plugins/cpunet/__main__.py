"""The command line: ``python -m cpunet``, also installed as ``cpunet``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import List, Optional, Sequence

from cpunet import __version__
from cpunet.errors import CpunetError, said_with_way_out
from cpunet.interruption import Interruption, interruptions, requested
from cpunet.terminal import lasting_streams, report

# Each names a module with add_arguments(parser) and run(arguments) -> exit code. Imported late, so that a
# machine without torch can segment, and one without onnxruntime can train. Commands return 0 or 1
# and raise errors; `main` prints those and returns 2.
COMMANDS = {
    "segment": ("cpunet.commands.segment", "find objects in image files"),
    "count": ("cpunet.commands.count", "count objects by number and by area, and draw the counts over time"),
    "align": ("cpunet.commands.align", "bring the frames of time-lapses to one place where the camera shifted"),
    "batch": (
        "cpunet.commands.batch",
        "run a pipeline on many images in pieces, here or on a cluster (needs Snakemake: cpunet[batch])",
    ),
    "calibrate": (
        "cpunet.commands.calibrate",
        "fit a model's thresholds and outlines to a few labeled images, without training",
    ),
    "convert": (
        "cpunet.commands.convert",
        "put IdentifyObjectsUNet in the place of IdentifyPrimaryObjects in pipelines",
    ),
    "compare": (
        "cpunet.commands.compare",
        "run IdentifyPrimaryObjects and IdentifyObjectsUNet on the same images, and show where they differ",
    ),
    "review": (
        "cpunet.commands.review",
        "write a page on which experts mark false and missed objects, and score what they saved",
    ),
    "models": ("cpunet.commands.models", "list all models that are found, with their cards"),
    "verify": ("cpunet.commands.verify", "check a model file against its card"),
    "doctor": ("cpunet.commands.doctor", "report the installed packages, the device that is used, and its speed"),
    "data": (
        "cpunet.training.commands.data",
        "import, download, check and split labeled images (needs cpunet[training])",
    ),
    "labels": (
        "cpunet.training.commands.labels",
        "make labels without annotators, from a stain of the same cells (needs cpunet[training])",
    ),
    "train": ("cpunet.training.commands.train", "train a model from images and labels (needs cpunet[training])"),
    "train-cross": (
        "cpunet.training.commands.train_cross",
        "train on each data set alone and on all, and score each model on each set (needs cpunet[training])",
    ),
    "combine": (
        "cpunet.training.commands.combine",
        "learn which of several models finds each object best (needs cpunet[training])",
    ),
    "train-detection": (
        "cpunet.training.commands.train_detection",
        "train Mask R-CNN, which finds objects by boxes and masks (needs cpunet[detection])",
    ),
    "train-volumes": (
        "cpunet.training.commands.train_volumes",
        "train a 3-D U-Net, which sees stacks as volumes (needs cpunet[training])",
    ),
    "train-ablation": (
        "cpunet.training.commands.train_ablation",
        "train without each augmentation in turn, and show what each is worth (needs cpunet[training])",
    ),
    "train-review": (
        "cpunet.training.commands.train_review",
        "show the images with the lowest and the highest loss of a training, and its curves (needs cpunet[training])",
    ),
    "search": (
        "cpunet.training.commands.search",
        "search good numbers for a training by many short ones (needs cpunet[training])",
    ),
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


# What these print is their result; the others write files, and print beside that.
PRINT_THEIR_RESULT = ("calibrate", "models", "verify", "doctor", "data", "card", "review")
TRACEBACK_VARIABLE = "CPUNET_TRACEBACK"


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
        a line on the error stream says why. 130 or 143: it was stopped by Ctrl-C or by SIGTERM (129: the terminal was
        closed).
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name = next((word for word in arguments if word in COMMANDS), None)
    with lasting_streams() as output:
        code = _until_interrupted(arguments, name)
        output.flush()
        if output.failure is not None:
            _say(f"cpunet {name}: what it printed is not complete: {output.failure}.")
            return 2 if name in PRINT_THEIR_RESULT else code
        return code


def _until_interrupted(arguments: List[str], name: Optional[str]) -> int:
    with interruptions():
        try:
            return _run(arguments, name)
        except BaseException as error:
            # A library may have turned the interruption into an error of its own, such as a failed import.
            stopped = error if isinstance(error, Interruption) else requested()
            if stopped is None:
                raise
            report(f"cpunet {name}: {stopped}", sys.stderr)
            return stopped.exit_code


def _run(arguments: List[str], name: Optional[str]) -> int:
    parser = argparse.ArgumentParser(prog="cpunet", description="Nuclei and cells with a U-Net.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = None
    for known, (module, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(known, help=summary, description=summary)
        if known == name:
            try:
                command = importlib.import_module(module)
            except Exception as error:  # a broken package fails with almost any error
                if requested() is not None:
                    raise
                extra = "training" if module.startswith(("cpunet.training", "cpunet.export")) else "plugin"
                _say(
                    f"cpunet {name}: {error}. Packages that this command needs are not installed here, or broken. In "
                    f'the folder of the repository: "{sys.executable}" -m pip install --editable ".[{extra}]"'
                )
                return 2
            command.add_arguments(subparser)
            arguments = _files_told_from_options(arguments, subparser)
    parsed = parser.parse_args(arguments)
    assert command is not None  # argparse has refused everything else
    try:
        code: int = command.run(parsed)
    except Exception as error:
        if requested() is not None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        _say(f"{_command_line(parsed)}: {_about(parsed, _reason(error))}")
        return 2
    return code


def _files_told_from_options(arguments: Sequence[str], parser: argparse.ArgumentParser) -> List[str]:
    """Put ``./`` before the names of files that begin with a hyphen, such as those that a shell makes of ``*.tif``.

    A single such name would otherwise keep all other files from being done.
    """
    options = [word for action in parser._actions for word in action.option_strings]
    return [
        os.path.join(os.curdir, word)
        if word.startswith("-")
        and not any(option.startswith(word.partition("=")[0]) for option in options)
        and os.path.lexists(word)
        else word
        for word in arguments
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _reason(error: Exception) -> str:
    """Say what went wrong; an error that nobody expected is named by its kind too."""
    if isinstance(error, CpunetError):
        return str(error)
    if isinstance(error, OSError):
        return said_with_way_out(error)
    if isinstance(error, MemoryError):
        return f"the memory is too small ({error or 'no more could be had'}). Close other programs."
    return (
        f"{type(error).__name__}: {error}. cpunet did not expect this error. With {TRACEBACK_VARIABLE}=1 in the "
        "environment it shows where it arose; please report that."
    )


def _command_line(parsed: argparse.Namespace) -> str:
    """Return the command, and its action if it has several, as the user typed them."""
    return " ".join(["cpunet", parsed.command, *([parsed.action] if hasattr(parsed, "action") else [])])


def _about(parsed: argparse.Namespace, message: str) -> str:
    """Put the file that the command works on before a message that does not name it."""
    subject = str(getattr(parsed, "file", None) or getattr(parsed, "package", None) or "")
    return message if subject in message else f"{subject}: {message}"


if __name__ == "__main__":
    sys.exit(main())

"""The steps that Snakemake runs, by workflow/step.py: ``piece NAME --threads N`` and ``merge``.

The current folder is the folder of the batch; see workflow/Snakefile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpunet.batch.folder import BatchFolder
from cpunet.batch.merging.merge import merge
from cpunet.batch.run_piece import run_piece
from cpunet.errors import CpunetError, said_with_way_out
from cpunet.interruption import Interruption, interruptions


def main() -> int:
    """Run one step; return 1 if it failed."""
    parser = argparse.ArgumentParser(prog="step.py")
    steps = parser.add_subparsers(dest="step", required=True)
    piece = steps.add_parser("piece")
    piece.add_argument("name")
    piece.add_argument("--threads", type=int, required=True)
    steps.add_parser("merge")
    arguments = parser.parse_args()
    folder = BatchFolder(Path.cwd().parent)
    with interruptions():
        try:
            if arguments.step == "piece":
                run_piece(folder, arguments.name, arguments.threads)
            else:
                merge(folder, lambda line: print(line, file=sys.stderr))
        except CpunetError as error:
            print(f"cpunet batch: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"cpunet batch: {said_with_way_out(error)}", file=sys.stderr)
            return 1
        except Interruption as error:
            return error.exit_code
    return 0

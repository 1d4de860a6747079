"""Run CellProfiler once, headless, on a pipeline with both modules."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from cpunet.cellprofiler_program.ending import end
from cpunet.cellprofiler_program.log import RunLog
from cpunet.comparison.pipeline_of_both import RECORD, PipelineOfBoth
from cpunet.comparison.plugins_folder import write_plugins_folder
from cpunet.comparison.records import read_fields
from cpunet.errors import ComparisonError
from cpunet.terminal import printable, report, show_progress

CSV_SUFFIX = ".csv"
# Of the log, where nothing was run.
LINES_SHOWN = 12


@dataclass(frozen=True)
class RunOfBoth:
    """What CellProfiler did.

    Attributes
    ----------
    folder : Path
        With the records.
    fields : dict of int to dict
        The path of each image by its name, of each image set.
    log : RunLog
    """

    folder: Path
    fields: Dict[int, Dict[str, str]]
    log: RunLog


def run_both(
    pipeline: PipelineOfBoth,
    images: Sequence[Path],
    folder: Path,
    cellprofiler: Sequence[str],
    plugins: Sequence[Path] = (),
    first: Optional[int] = None,
) -> RunOfBoth:
    """Run both modules on all fields; one that fails does not stop the others.

    Parameters
    ----------
    pipeline : PipelineOfBoth
    images : sequence of Path
        Files and folders, of which all files are given to the pipeline, which chooses among them. For a pipeline with
        LoadData: its CSV file, or the default input folder.
    folder : Path
        For the records and everything else that the run needs; empty.
    cellprofiler : sequence of str
        The beginning of its command line.
    plugins : sequence of Path
        Further plugins directories.
    first : int, optional
        Stop after so many fields.

    Raises
    ------
    ComparisonError
        If CellProfiler ran no field; the message says why.
    """
    text = folder / "both.cppipe"
    text.write_text(pipeline.text, encoding="utf-8")
    write_plugins_folder(folder / "plugins", plugins)
    records = folder / "records"
    records.mkdir()
    command = [*cellprofiler, "-c", "-r", "-p", str(text), "-o", str(records), "--always-continue"]
    command += [f"--plugins-directory={folder / 'plugins'}", *_images_given(pipeline, images, folder)]
    command += ["-l", str(first)] if first is not None else []
    log = _run(command, records, first)
    fields = {number: paths for number, paths in read_fields(records).items() if first is None or number <= first}
    if not fields:
        for line in list(log.lines)[-LINES_SHOWN:]:
            report(f"CellProfiler: {printable(line)}", sys.stderr)
        raise ComparisonError(
            f"CellProfiler ran no field: {log.last_error or 'the pipeline made no image sets of these images'}. Check "
            "that the pipeline takes these images, with their names, in CellProfiler's window."
        )
    return RunOfBoth(records, fields, log)


def _images_given(pipeline: PipelineOfBoth, images: Sequence[Path], folder: Path) -> List[str]:
    missing = next((path for path in images if not path.exists()), None)
    if missing is not None:
        raise ComparisonError(f"{missing}: there is no such file or folder.")
    folders = [path for path in images if path.is_dir()]
    default_folder = ["-i", str(folders[0].resolve())] if folders else []
    tables = [path for path in images if path.suffix.lower() == CSV_SUFFIX]
    if pipeline.loads_data:
        if len(images) > 1 or len(tables) + len(folders) != 1:
            raise ComparisonError(
                "the pipeline loads its images by LoadData. Give its CSV file, or the default input folder, as IMAGES."
            )
        return [*default_folder, *(f"--data-file={path.resolve()}" for path in tables)]
    files = folder / "images.txt"
    # As addresses, which have no letters outside ASCII and no spaces at their ends.
    files.write_text("".join(f"{path.as_uri()}\n" for path in _all_files(images)), encoding="ascii")
    return [*default_folder, f"--file-list={files}"]


def _all_files(images: Sequence[Path]) -> List[Path]:
    """Return the files, and those of folders and their subfolders, as CellProfiler's own -i finds them."""
    found: Dict[Path, None] = {}
    for path in images:
        below = [path]
        if path.is_dir():
            below = [Path(root) / name for root, _, names in os.walk(path) for name in sorted(names)]
        found.update(dict.fromkeys(each.resolve() for each in below))
    return list(found)


def _run(command: Sequence[str], records: Path, first: Optional[int]) -> RunLog:
    """Run CellProfiler, show its progress, and end it if this program is ended."""
    log = RunLog()
    done = set()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event = log.add(line)
                if event is None:
                    continue
                number, module = event
                if number in log.failures:
                    report(f"FAILED field {number}: {printable(log.failures[number])}", sys.stderr)
                if module == RECORD or number in log.failures:
                    done.add(number)
                    total = len(read_fields(records))
                    show_progress(len(done), min(total, first or total), f"field {number}")
        except BaseException:
            end(process)
            raise
    return log

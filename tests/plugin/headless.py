"""Pipelines built from modules, and run by CellProfiler's own command in a process of its own."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.pipeline_text import make_module, text_of
from tests.places import REPOSITORY

PLUGINS = REPOSITORY / "plugins"

# ExportToDatabase imports MySQLdb even to write SQLite, where it needs it for a quotation mark only. The package
# comes with the installed application, but needs MySQL's headers to be built, so tests bring these two lines of it.
MYSQL_STAND_IN = """\
class Error(Exception): pass
def escape_string(text): return text.replace("'", "''").encode()
"""


def input_modules(image="DNA", process_as_3d=False):
    """Make the four input modules, which take each file as an image set of one image."""
    names = make_module("NamesAndTypes", single_image_provider=image, process_as_3d=process_as_3d)
    return [make_module("Images"), make_module("Metadata"), names, make_module("Groups")]


def write_pipeline(path, modules):
    """Write a pipeline file as CellProfiler's window saves it."""
    path.write_text(text_of(modules), encoding="utf-8")
    return path


def run_headless(pipeline, images, output, *more):
    """Run a pipeline; return the log.

    Parameters
    ----------
    pipeline : Path
        A .cppipe, or a Batch_data.h5.
    images, output : Path
    *more : str
        Further arguments.
    """
    output.mkdir(parents=True, exist_ok=True)
    stand_in = output.parent / "stand-in"
    stand_in.mkdir(exist_ok=True)
    (stand_in / "MySQLdb").mkdir(exist_ok=True)
    (stand_in / "MySQLdb" / "__init__.py").write_text(MYSQL_STAND_IN, encoding="utf-8")
    (stand_in / "MySQLdb" / "cursors.py").write_text("SSCursor = None\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("cellprofiler")), "-c", "-r", "-p", str(pipeline)]
    command += ["-i", str(images), "-o", str(output), f"--plugins-directory={PLUGINS}", *more]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(stand_in)},
    )
    done.log = done.stdout
    return done


def rows_of(path):
    """Read a CSV file, a dict a row."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))

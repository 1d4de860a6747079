"""Run a pipeline in pieces, and compare what they wrote with the tables of one run."""

import csv
import os
import sys

import numpy as np
import pytest
import tifffile

from cpunet.batch.folder import Request, write_json
from cpunet.batch.plan import plan_batch
from cpunet.batch.run_cellprofiler import SERVER_VARIABLE, loaded_once
from cpunet.batch.run_piece import run_piece
from cpunet.checks.synthetic import synthetic_field
from tests.plugin.headless import PLUGINS, make_module
from tests.tiny_onnx import tiny_onnx

COLUMNS_OF_NUCLEI = (4, 1, 0, 2, 3)  # the third image has no nucleus
# Times, which no two runs share.
TIMES = ("ExecutionTime_", "Segmentation_Seconds_", "Run_Timestamp", "Modification_Timestamp")


def write_images(folder):
    folder.mkdir(parents=True)
    full = synthetic_field((50, 200), columns=4, diameter_px=22).image
    for number, columns in enumerate(COLUMNS_OF_NUCLEI):
        image = full.copy()
        image[:, columns * 50 :] = 0.04
        tifffile.imwrite(folder / f"field_{number}.tif", np.round(image * 65535).astype(np.uint16))


def unet_of(folder):
    folder.mkdir(exist_ok=True)
    (folder / "mine.onnx").write_bytes(tiny_onnx())
    module = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei", model_file="mine.onnx")
    module.model_name.value = "A model file of your own"
    module.model_directory.value = f"Elsewhere...|{folder}"
    return module


def request_for(pipeline, images, size):
    return Request(str(pipeline), "0" * 64, str(images), size, sys.executable, str(PLUGINS))


def run_all_pieces(folder, request, threads=1):
    folder.path.mkdir(parents=True)
    write_json(folder.request, vars(request))
    with pytest.MonkeyPatch.context() as patch, loaded_once(request.python, request.plugins, dict(os.environ)) as found:
        assert sys.platform != "linux" or SERVER_VARIABLE in found
        patch.setenv(SERVER_VARIABLE, found.get(SERVER_VARIABLE, ""))
        plan = plan_batch(folder, request, found)
        for piece in reversed(plan.pieces):  # the order in which they are done does not matter
            run_piece(folder, piece.name, threads)
    return plan


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def comparable(text, folder):
    """A cell of a table, with the folder of the results taken out."""
    return text.replace(str(folder), "OUT") if isinstance(text, str) else text


def check_same_table(one, output, name):
    """Compare a CSV table of one run with that of the merged pieces, without the times; return its head."""
    expected, found = (table(place / f"{name}.csv") for place in (one, output))
    head = expected[0]
    assert found[0] == head
    kept = [place for place, column in enumerate(head) if not column.startswith(TIMES)]
    assert [[comparable(row[place], output) for place in kept] for row in found] == [
        [comparable(row[place], one) for place in kept] for row in expected
    ]
    return head

"""A stand-in for the Python that has CellProfiler: it writes a table in an instant, and fails as files next to it say.

    fail-N     the piece that begins with image set N fails, as long as this file is there
    once-N     likewise, once
    wait       all pieces but the first to begin wait while this file is there

A line for each piece that is begun is appended to ``begun.txt``.
"""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent
MODEL = "IdentifyObjectsUNet (module 5), image set 1: model mine, SHA-256 " + "a" * 64 + ", on CPUExecutionProvider"
ROWS_OF_AN_IMAGE = 3


def plan(task, answer):
    wanted = json.loads(Path(task).read_text())
    Path(wanted["folder"], "output").mkdir()
    Path(wanted["folder"], "Batch_data.h5").write_text("no real one\n")
    count = len(Path(wanted["image_list"]).read_text().splitlines())
    Path(answer).write_text(json.dumps({"groups": [1] * count, "whole_groups_for": [], "pipeline_text": "text"}))


def run(words):
    options = dict(zip(words, words[1:]))
    first, last, output = int(options["-f"]), int(options["-l"]), Path(options["-o"])
    with (HERE / "begun.txt").open("a") as stream:
        stream.write(f"{first} {os.environ['CPUNET_THREADS']} {os.environ.get('CPUNET_PROCESSES_PER_GPU')}\n")
    is_first = int((HERE / "begun.txt").read_text().split()[0]) == first
    while (HERE / "wait").exists() and not is_first:
        time.sleep(0.05)
    if (HERE / f"fail-{first}").exists():
        raise SystemExit("it fails")
    if (HERE / f"once-{first}").exists():
        (HERE / f"once-{first}").unlink()
        raise SystemExit("it fails once")
    numbers = range(first, last + 1)
    (output / "Image.csv").write_text("Count,ImageNumber\r\n" + "".join(f"{n % 7},{n}\r\n" for n in numbers))
    rows = [f"{n},{row},{n * row}\r\n" for n in numbers for row in range(1, ROWS_OF_AN_IMAGE + 1)]
    (output / "Nuclei.csv").write_text("ImageNumber,ObjectNumber,Area\r\n" + "".join(rows))
    (output / f"picture{first}.txt").write_text("a picture\n")
    print(MODEL)
    Path(options["-d"]).write_text("Complete\n")


if __name__ == "__main__":
    if sys.argv[1].endswith("fork_server.py"):
        raise SystemExit("there is no CellProfiler to load: each piece has a process of its own")
    if sys.argv[1].endswith("write_batch_file.py"):
        plan(*sys.argv[2:])
    else:
        assert sys.argv[1:5] == ["-m", "cellprofiler", "-c", "-r"]
        run(sys.argv[5:])

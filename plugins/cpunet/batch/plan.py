"""Plan a batch: list its images, have CellProfiler find the image sets, and split them into pieces."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Tuple

from cpunet.batch import write_batch_file
from cpunet.batch.folder import BatchFolder, Plan, Request, write_json, write_text
from cpunet.batch.run_cellprofiler import run_cellprofiler
from cpunet.batch.split import group_ranges, split
from cpunet.errors import BatchError

SCRIPT = Path(write_batch_file.__file__)
LAST_LINES = 15


def plan_batch(folder: BatchFolder, request: Request, environment: Dict[str, str]) -> Plan:
    """Plan a batch, and write its plan; CellProfiler runs in an environment.

    Raises
    ------
    BatchError
        If there are no images, CellProfiler cannot be started, or the pipeline cannot be run in pieces.
    """
    planned = folder.batch_file.parent
    shutil.rmtree(planned, ignore_errors=True)  # of a call that was stopped
    planned.mkdir(parents=True)
    write_text(folder.images, "".join(f"{path}\n" for path in image_files(Path(request.images))))
    found = _ask_cellprofiler(folder, request, environment)
    whole = found["whole_groups_for"]
    grouped = len(set(found["groups"])) > 1
    pieces = split(found["groups"], request.piece_size, keep_groups=grouped or bool(whole))
    plan = Plan(pieces, group_ranges(found["groups"]), found["pipeline_text"], _notes(grouped, whole))
    folder.write_plan(plan)
    return plan


def image_files(images: Path) -> List[Path]:
    """Return all files below a folder, sorted, as CellProfiler's ``-i`` would find them."""
    found = [Path(root, name) for root, _, names in os.walk(images) for name in names]
    if not found:
        raise BatchError(f"{images}: there is no file in this folder.")
    return sorted(found)


def _notes(grouped: bool, whole: List[str]) -> Tuple[str, ...]:
    if not whole:
        return ("Groups of image sets were not split.",) if grouped else ()
    what = f"{', '.join(whole)} compute{'s' if len(whole) == 1 else ''} from all image sets of a group"
    if grouped:
        return (f"{what}, so groups were not split.",)
    return (f"{what}, and the pipeline has no groups, so the batch is one piece. The module Groups makes it several.",)


def _ask_cellprofiler(folder: BatchFolder, request: Request, environment: Dict[str, str]) -> Dict[str, Any]:
    planned = folder.batch_file.parent
    task, answer, log = planned / "task.json", planned / "answer.json", planned / "log.txt"
    write_json(
        task,
        {
            "pipeline_path": request.pipeline,
            "images": request.images,
            "image_list": str(folder.images),
            "folder": str(planned),
            "plugins": request.plugins,
        },
    )
    code = run_cellprofiler([request.python, str(SCRIPT), str(task), str(answer)], environment, log).exit_code
    found: Dict[str, Any] = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
    if "error" in found:
        raise BatchError(f"{request.pipeline}: {found['error']} (log: {log})")
    if code or not found:
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        raise BatchError(
            f"{request.pipeline}: CellProfiler ended with exit code {code} before it had found the image sets: "
            f"{' / '.join(last[-LAST_LINES:])}"
        )
    return found

"""The report of a batch: its pieces, seconds, failures, and the model with its SHA-256."""

from __future__ import annotations

from typing import Any, Dict, List

from cpunet.batch.folder import REPORT_NAME, BatchFolder, Request, failures_of, read_json, write_json, write_text


def report_of(folder: BatchFolder) -> Dict[str, Any]:
    """Gather what is known of a batch, also of one that is not done.

    Returns
    -------
    dict
        ``pieces``: each with its image sets, state (``done``, ``failed`` or ``not run``), seconds by the clock and of
        the processor, computer, command and failed attempts; sums over them; ``models``: module, name, SHA-256, device.
    """
    plan, request = folder.read_plan(), folder.read_request()
    assert isinstance(request, Request)
    pieces: List[Dict[str, Any]] = []
    models: List[Dict[str, str]] = []
    for piece in plan.pieces:
        failures = failures_of(folder.piece(piece.name))
        path = folder.result(piece.name)
        done = read_json(path) if path.exists() else {}
        models += [each for each in done.get("models", []) if each not in models]
        pieces.append(
            {
                "piece": piece.name,
                "first": piece.first,
                "last": piece.last,
                "state": "done" if done else "failed" if failures else "not run",
                **done,
                "failures": failures,
            }
        )
    finished = [piece for piece in pieces if piece["state"] == "done"]
    return {
        "pipeline": request.pipeline,
        "pipeline_sha256": request.pipeline_sha256,
        "images": request.images,
        "merged": folder.merged.exists(),
        "image_sets": plan.pieces[-1].last - plan.pieces[0].first + 1,
        "notes": list(plan.notes),
        "models": models,
        "seconds": round(sum(piece["seconds"] for piece in finished), 2),
        "cpu_seconds": round(sum(piece["cpu_seconds"] for piece in finished), 2),
        "failed_attempts": sum(len(piece["failures"]) for piece in pieces),
        "pieces": pieces,
    }


def write_report(folder: BatchFolder) -> str:
    """Write ``batch-report.json`` and ``batch-report.txt`` into the folder of the results; return the latter's text."""
    found = report_of(folder)
    text = text_of(found)
    write_json(folder.output / f"{REPORT_NAME}.json", found)
    write_text(folder.output / f"{REPORT_NAME}.txt", text)
    return text


def text_of(report: Dict[str, Any]) -> str:
    """Return the report as text."""
    done = [piece for piece in report["pieces"] if piece["state"] == "done"]
    lines = [
        f"pipeline    {report['pipeline']}",
        f"            SHA-256 {report['pipeline_sha256']}",
        f"images      {report['images']}",
        f"image sets  {report['image_sets']} in {len(report['pieces'])} pieces; {len(done)} pieces are done",
        f"seconds     {report['seconds']:.1f} of all pieces together, {report['cpu_seconds']:.1f} of the processor",
        f"failures    {report['failed_attempts']} attempts",
        f"tables      {'merged' if report['merged'] else 'not merged: not all pieces are done'}",
    ]
    for model in report["models"]:
        lines.append(f"model       {model['model']} (module {model['module']}, on {model['provider']})")
        lines.append(f"            SHA-256 {model['sha256']}")
    lines += [f"note        {note}" for note in report["notes"]]
    lines += ["", "piece  image sets      state    seconds  processor  computer"]
    for piece in report["pieces"]:
        row = f"{piece['piece']:<6} {piece['first']:>6} - {piece['last']:<6} {piece['state']:<8}"
        if piece["state"] == "done":
            row += f" {piece['seconds']:>7.1f}  {piece['cpu_seconds']:>9.1f}  {piece['computer']}"
        lines.append(row.rstrip())
        for failure in piece["failures"]:
            lines.append(f"       {failure['attempt']} failed after {failure['seconds']:.1f} s: {failure['fault']}")
    return "\n".join(lines) + "\n"

"""Show what was found in data sets: as text, and as a page with pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cpunet.files.images import gray_of_equal_colors, read_image
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.report.html_page import figure_uri, picture_uri, write_page
from cpunet.training.checking.check import DataReport
from cpunet.training.checking.image_facts import ERROR, DataProblem, ImageFacts
from cpunet.training.checking.outlined import outlined_images
from cpunet.training.data.duplicates import Key
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.volumes.checking.shown_planes import fullest_plane

PICTURE_PX = 256
PICTURED_OF_A_KIND, EXAMPLES = 4, 4


def set_table(report: DataReport) -> list[dict[str, str]]:
    """Sum up each data set in a row, by the heads of the columns."""
    table = []
    for folder in report.folders:
        rows = [row for row in report.rows if row.folder == folder]
        facts = [seen for seen in report.facts if seen.row.folder == folder]
        diameters = _diameters(facts)
        volumes = [seen for seen in facts if seen.depth > 1]
        middle = "-"
        if len(diameters):
            low, median, high = np.percentile(diameters, (5, 50, 95))
            middle = f"{median:.0f} ({low:.0f} to {high:.0f})"
        table.append(
            {
                "set": folder.name,
                "images": str(len(rows)),
                "splits": _counts(row.split or "none" for row in rows),
                "modalities": _counts(row.modality for row in rows),
                "sizes (Y x X)": _most(f"{seen.shape[0]} x {seen.shape[1]}" for seen in facts),
                **(_of_volumes(volumes) if volumes else {}),
                "channels": _most(str(1 if len(seen.shape) == 2 else seen.shape[2]) for seen in facts),
                "bits used": _bits(facts),
                "objects": str(len(diameters)),
                "without objects": str(sum(not len(seen.diameters_px) for seen in facts)),
                "diameter_px, median (5 to 95 %)": middle,
            }
        )
    return table


def report_text(report: DataReport) -> str:
    """Write the report for a terminal: each error in a line; warnings of one kind and set together."""
    lines = []
    for row in set_table(report):
        lines.append(row["set"])
        lines += [f"    {head:<32}{value}" for head, value in row.items() if head != "set"]
    if report.clusters:
        lines.append("images that look alike")
        lines += [
            f"    cluster {number}: {len(cluster.facts)} images ("
            + ", ".join(f"{name} {count}" for name, count in cluster.modalities.items())
            + f"), such as {'/'.join(cluster.facts[0].row.key)}"
            for number, cluster in enumerate(report.clusters, start=1)
        ]
    alike: dict[tuple[str, str], list[DataProblem]] = defaultdict(list)
    for finding in report.findings:
        if finding.severity == ERROR:
            lines.append(f"{finding.severity:<8} {finding.kind}: {finding.where}: {finding.what}")
        else:
            alike[finding.kind, finding.where.partition("/")[0]].append(finding)
    for (kind, name), findings in alike.items():
        first = findings[0]
        many = f"{len(findings)} times in {name}, first " if len(findings) > 1 else ""
        lines.append(f"{first.severity:<8} {kind}: {many}{first.where}: {first.what}")
    lines.append(verdict(report))
    if any(len(findings) > 1 for findings in alike.values()):
        lines.append("Give --report FILE.html for all of them.")
    return "\n".join(lines)


def verdict(report: DataReport) -> str:
    """Return a sentence that says whether training may start."""
    warnings = len(report.findings) - report.errors
    begin = "Training may not start" if report.errors else "Training may start"
    return f"{begin}: {report.errors} errors, {warnings} warnings."


def write_report(report: DataReport, path: Path) -> None:
    """Write the report as one ``.html`` file with pictures, which opens offline."""
    of_kind: dict[str, list[DataProblem]] = defaultdict(list)
    for finding in report.findings:
        if finding.picture:
            of_kind[finding.kind].append(finding)
    pictured = [finding for findings in of_kind.values() for finding in findings[:PICTURED_OF_A_KIND]]
    depth_of = {seen.row.key: seen.depth for seen in report.facts}
    content = {
        "table": set_table(report),
        "verdict": verdict(report),
        "errors": report.errors,
        "findings": report.findings,
        "gallery": [_pictured(finding, depth_of) for finding in pictured],
        "outlined": outlined_images(report.facts),
        "histograms": [
            {"set": folder.name, "picture": figure_uri(_histogram(facts))}
            for folder in report.folders
            if len(_diameters(facts := [seen for seen in report.facts if seen.row.folder == folder]))
        ],
        "clusters": [
            {
                "images": len(cluster.facts),
                "modalities": dict(cluster.modalities),
                "pictures": [
                    {"name": "/".join(seen.row.key), "picture": picture_uri(_look(seen.row, seen.depth))}
                    for seen in cluster.facts[:EXAMPLES]
                ],
            }
            for cluster in report.clusters
        ],
    }
    write_page(path, "cpunet.training", "data.html", content)


def _diameters(facts: Sequence[ImageFacts]) -> NDArray[np.float64]:
    return np.concatenate([seen.diameters_px for seen in facts]) if facts else np.zeros(0)


def _histogram(facts: Sequence[ImageFacts]) -> Figure:
    figure = Figure(figsize=(6, 2.6))
    axes = figure.subplots()
    diameters = _diameters(facts)
    axes.hist(diameters, bins=min(60, max(5, int(np.sqrt(len(diameters))))), color="#4477aa")
    axes.axvline(float(np.median(diameters)), color="#222222", linewidth=1)
    axes.set_xlabel("diameter of a disc of the same area, pixels (line: median)")
    axes.set_ylabel("objects")
    return figure


def _pictured(finding: DataProblem, depth_of: Mapping[Key, int]) -> dict[str, object]:
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "where": finding.where,
        "what": finding.what,
        "pictures": [picture_uri(_look(row, depth_of[row.key], outlined=True)) for row in finding.picture[:2]],
    }


def _look(row: IndexRow, depth: int = 1, outlined: bool = False) -> NDArray[np.uint8]:
    """Draw a small picture of an image, or of a volume's fullest plane, with outlines of objects if `outlined`."""
    if depth > 1:
        image, labels = fullest_plane(row)
    else:
        image = gray_of_equal_colors(read_image(row.image_path))
        labels = without_ignored(read_labeled_image(row).labels) if outlined else None
    step = max(1, -(-max(image.shape[:2]) // PICTURE_PX))
    small = image[::step, ::step]
    color = small.dtype == np.uint8 and small.ndim == 3 and small.shape[2] in (3, 4)
    picture = np.ascontiguousarray(small[..., :3]) if color else gray_picture(small)
    return picture if labels is None or not outlined else draw_outlines(picture, labels[::step, ::step])


def _of_volumes(facts: Sequence[ImageFacts]) -> dict[str, str]:
    steps = [seen.z_step_px for seen in facts if seen.z_step_px is not None]
    known = f"{min(steps):.2g} to {max(steps):.2g}" if steps else "not known"
    missing = f", not known of {len(facts) - len(steps)}" if steps and len(steps) < len(facts) else ""
    return {"planes (Z)": _most(str(seen.depth) for seen in facts), "z step / pixel": known + missing}


def _counts(names: Iterable[str]) -> str:
    count = Counter(names)
    return ", ".join(f"{name} {count[name]}" for name in sorted(count)) or "-"


def _most(names: Iterable[str]) -> str:
    """Name the three most frequent, and how many more there are."""
    count = Counter(names)
    shown = ", ".join(f"{name} ({number})" for name, number in count.most_common(3))
    return (shown + (f" and {len(count) - 3} more" if len(count) > 3 else "")) or "-"


def _bits(facts: Sequence[ImageFacts]) -> str:
    """Say of each type how many bits the brightest pixel of the set takes."""
    used: dict[str, int] = {}
    for seen in facts:
        used[seen.dtype] = max(used.get(seen.dtype, 0), seen.used_bits)
    return ", ".join(f"{bits or 'all'} in {dtype}" for dtype, bits in sorted(used.items())) or "-"

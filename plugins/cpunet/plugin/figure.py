"""The module's figure: input, objects, probabilities, outlines (accepted, discarded), and a table."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

import numpy

from cpunet.steps.diameter import diameter_of_sphere
from cpunet.steps.filters import look_up

# CellProfiler opens the windows of all modules at 640x480 pixels, where the table of this one is cut off.
ROOM = (1080, 740)


def enlarge_when_new(figure: Any) -> None:
    """Enlarge a window that has just opened, within the screen, so that the table fits; later, its size is kept."""
    if not hasattr(figure, "GetSize") or hasattr(figure, "has_room_for_table"):
        return
    import wx  # only where there is a window

    figure.has_room_for_table = True
    to_end_of_screen = wx.GetDisplaySize() - figure.GetPosition()
    figure.SetSize(*(max(now, min(room, most)) for now, room, most in zip(figure.GetSize(), ROOM, to_end_of_screen)))


def keep_for_display(
    display_data: Any,
    image: Any,
    found: Any,
    kept: Any,
    planes: Mapping[str, Any],
    foreground: Any,
    statistics: Sequence[List[str]],
    z_step_px: float = 1.0,
) -> None:
    """Keep what the figure shows: the whole image, or one plane of a stack and a section along its Z axis.

    Parameters
    ----------
    display_data : object
        Of CellProfiler's workspace; it is given the attributes that `show_figure` reads.
    image : cellprofiler_core.image.Image
    found : cpunet.segment.Segmentation
    kept : cpunet.steps.filters.FilteredLabels
    planes, foreground
        Probabilities, 0..1: by role, and of lying in an object.
    statistics : sequence of [name, value]
        Further rows of the table.
    z_step_px : float
        Of a stack: distance of two planes in widths of a pixel.
    """
    place = ""
    chosen: Any = slice(None)
    if found.labels.ndim == 3:
        chosen = plane_to_show(found.labels)
        place = f", plane {chosen + 1} of {len(found.labels)}"
    display_data.place = place
    display_data.image = image.pixel_data[chosen]
    display_data.labels = kept.labels[chosen]
    display_data.discarded_by_size = kept.discarded_by_size[chosen]
    display_data.discarded_by_border = kept.discarded_by_border[chosen]
    display_data.planes = [("Probability of an object", foreground[chosen])]
    if found.confidence is not None:
        table = numpy.concatenate([numpy.zeros(1, numpy.float32), found.confidence])
        display_data.planes += [("Confidence of each object", look_up(table, found.labels[chosen]))]
    rims = [role for role in ("border", "boundary") if role in planes]
    display_data.planes += [(f"Probability of a {role}", planes[role][chosen]) for role in rims[:1]]
    display_data.section = None
    if found.labels.ndim == 3:
        display_data.section = section_along_z(image.pixel_data, kept.labels, z_step_px)
        del display_data.planes[1:]  # the section takes the place of the second
    display_data.statistics = [
        *statistics_of_objects(kept.labels, z_step_px),
        ["Discarded by size", str(count_objects(kept.discarded_by_size))],
        ["Discarded at the border", str(count_objects(kept.discarded_by_border))],
        *statistics,
    ]
    if found.scale != 1:
        display_data.statistics.append(["Rescaled by", f"{found.scale:.2f}"])


def show_figure(figure: Any, display_data: Any, object_name: str) -> None:
    """Draw the figure from the display data alone.

    Parameters
    ----------
    figure : cellprofiler.gui.figure.Figure
    display_data : object
        With `cycle`; `image` (Y, X) or (Y, X, C); `labels`, `discarded_by_size` and `discarded_by_border`, int32
        (Y, X); `planes`, a list of (title, ndarray of shape (Y, X), 0..1), two at most; `section`, from
        `section_along_z`, or None; `place`, such as ``, plane 3 of 9``; and `statistics`, a list of [name, value].
    object_name : str
    """
    figure.set_subplots((3, 2))
    image, show = display_data.image, figure.subplot_imshow_grayscale
    if image.shape[2:] == (3,):
        show = figure.subplot_imshow_color
    elif image.ndim == 3:
        image = image.mean(axis=2)
    axes = show(0, 0, image, f"Input image, cycle #{display_data.cycle}{display_data.place}")
    figure.subplot_imshow_labels(1, 0, display_data.labels, object_name, sharexy=axes)
    show(
        0,
        1,
        image,
        f"{object_name} outlines",
        cplabels=[
            {"name": object_name, "labels": [display_data.labels]},
            {"name": "Objects filtered out by size", "labels": [display_data.discarded_by_size]},
            {"name": "Objects touching border", "labels": [display_data.discarded_by_border]},
        ],
        sharexy=axes,
    )
    for row, (title, plane) in enumerate(display_data.planes):
        figure.subplot_imshow_grayscale(2, row, plane, title, vmin=0, vmax=1, normalize=False, sharexy=axes)
    if display_data.section is not None:
        title, section, labels = display_data.section
        outlined = [{"name": object_name, "labels": [labels]}]
        figure.subplot_imshow_grayscale(2, 1, section, title, cplabels=outlined)
    figure.subplot_table(
        1,
        1,
        [[value] for _, value in display_data.statistics],
        row_labels=[name for name, _ in display_data.statistics],
    )


def plane_to_show(labels: Any) -> int:
    """Return which plane of a stack holds the most pixels of objects; the middle one if there is no object.

    >>> plane_to_show(numpy.array([[[0, 0]], [[1, 2]], [[0, 2]]]))
    1
    """
    inside = numpy.count_nonzero(labels, axis=(1, 2))
    return int(inside.argmax()) if inside.any() else len(labels) // 2


def section_along_z(pixels: Any, labels: Any, z_step_px: float) -> Tuple[str, Any, Any]:
    """Cut a stack along Z, through the row that holds the most pixels of objects, or the middle one.

    Parameters
    ----------
    pixels : ndarray of shape (Z, Y, X) or (Z, Y, X, C)
    labels : ndarray of shape (Z, Y, X), int32
    z_step_px : float
        Each plane is repeated so often that the section has the stack's true proportions.

    Returns
    -------
    title : str
    section, labels : ndarray of shape (rows, X)
        The gray values and the objects in the section.
    """
    inside = numpy.count_nonzero(labels, axis=(0, 2))
    row = int(inside.argmax()) if inside.any() else labels.shape[1] // 2
    rows = max(1, round(len(labels) * z_step_px))
    planes = numpy.minimum((numpy.arange(rows) / z_step_px).astype(int), len(labels) - 1)
    section = pixels[:, row]
    section = section if section.ndim == 2 else section.mean(axis=2)
    return f"Section along Z, through row {row + 1}", section[planes], labels[:, row][planes]


def statistics_of_objects(labels: Any, z_step_px: float = 1.0) -> List[List[str]]:
    """Summarize objects for the figure's table.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps.
    z_step_px : float
        Of a stack: distance of two planes in widths of a pixel.

    Returns
    -------
    list of [name, value]
        As text: the number of objects, three percentiles of the diameter (of a disc of the same area, or a sphere of
        the same volume), and the percentage of the image that is covered.
    """
    sizes = numpy.bincount(labels.ravel())[1:]
    rows = [["# of accepted objects", str(len(sizes))]]
    if len(sizes):
        disc = labels.ndim == 2
        diameters = 2 * numpy.sqrt(sizes / numpy.pi) if disc else diameter_of_sphere(sizes * z_step_px)
        for name, percentile in (("10th pctile", 10), ("Median", 50), ("90th pctile", 90)):
            rows.append([f"{name} diameter", f"{numpy.percentile(diameters, percentile):.1f} pixels"])
        rows.append(
            ["Area covered by objects" if disc else "Volume covered", f"{100 * sizes.sum() / labels.size:.1f} %"]
        )
    return rows


def count_objects(labels: Any) -> int:
    """Return how many objects a label image holds; its numbers may have gaps.

    >>> count_objects(numpy.array([[0, 2], [2, 5]]))
    2
    """
    return len(numpy.unique(labels[labels > 0]))

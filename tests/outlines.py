"""Draw the outlines of label images, as programs do that trace objects."""

import numpy as np


def rings_of(mask):
    """Trace a mask along the edges of its pixels.

    Returns
    -------
    list of list of tuple of int
        Rings of corners (x, y), in pixels from the upper left corner; those of holes too. What an odd number of rings
        enclose is the mask.
    """
    edges = {}
    for y, x in np.argwhere(mask):
        for begin, end in (
            ((x, y), (x + 1, y)),
            ((x + 1, y), (x + 1, y + 1)),
            ((x + 1, y + 1), (x, y + 1)),
            ((x, y + 1), (x, y)),
        ):
            if begin in edges.get(end, ()):
                edges[end].remove(begin)  # an edge between two pixels of the mask
            else:
                edges.setdefault(begin, []).append(end)
    rings = []
    while any(edges.values()):
        start = next(point for point, ends in edges.items() if ends)
        ring, point = [], start
        while not ring or point != start:
            ring.append((int(point[0]), int(point[1])))
            point = edges[point].pop()
        rings.append(ring)
    return rings


def outlines_of(labels):
    """Trace each object of a label image, in the order of their numbers."""
    return [rings_of(labels == number) for number in range(1, labels.max() + 1)]

"""Frames of drawn nuclei that a shifting camera took."""

import numpy as np
import tifffile

from cpunet.checks.synthetic import synthetic_field

# Rows and columns by which the field lies lower and more to the right than that of the first frame.
CAMERA = ((0, 0), (9, -7), (-3, 4), (12, 11), (0, -12))
SIDE_PX, MARGIN_PX = 160, 16


def shifted_frames(camera=CAMERA, seed=0):
    """Return frames (T, Y, X), uint16, and their labels: still nuclei, light that stays with the camera, new noise."""
    rng = np.random.default_rng(seed)
    size = SIDE_PX + 2 * MARGIN_PX
    drawn = synthetic_field((size, size), columns=5, diameter_px=22, seed=seed)
    # Off the grid, which looks the same after a shift by a column.
    rows, columns = (np.arange(size) + np.round(6 * np.sin(np.arange(size) / 17 + phase)) for phase in (0, 1))
    place = np.ix_(*(np.clip(each, 0, size - 1).astype(int) for each in (rows, columns)))
    image, labels = drawn.image[place], drawn.labels[place]
    light = 0.7 + 0.3 * np.linspace(0, 1, SIDE_PX)
    frames, truths = [], []
    for y, x in camera:
        window = (
            slice(MARGIN_PX + y, MARGIN_PX + y + SIDE_PX),
            slice(MARGIN_PX + x, MARGIN_PX + x + SIDE_PX),
        )
        noisy = image[window] * light + rng.normal(0, 0.01, (SIDE_PX, SIDE_PX))
        frames.append((np.clip(noisy, 0, 1) * 4095).astype(np.uint16))
        truths.append(labels[window])
    return np.stack(frames), np.stack(truths)


def write_frames(folder, name, frames, pattern="{name}_t{number}.tif"):
    """Write a file for each frame, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / pattern.format(name=name, number=number) for number in range(1, len(frames) + 1)]
    for path, frame in zip(paths, frames):
        tifffile.imwrite(str(path), frame)
    return paths


def write_stack(path, frames, axes="TYX", **metadata):
    """Write an OME-TIFF."""
    tifffile.imwrite(str(path), frames, ome=True, metadata={"axes": axes, **metadata})
    return path

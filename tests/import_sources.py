"""Run ``cpunet data``, and write the files that it imports."""

import argparse

import numpy as np
import PIL.Image
import tifffile

from cpunet.drawn_nuclei import draw_field
from cpunet.training import data_command


def data(*words):
    """Run ``cpunet data`` with these words."""
    parser = argparse.ArgumentParser()
    data_command.add_arguments(parser)
    arguments = parser.parse_args([str(word) for word in words])
    return data_command.run(arguments)


def put(path, array):
    """Write an array as PNG or TIFF, with its folder; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        PIL.Image.fromarray(array).save(path)
    else:
        tifffile.imwrite(path, array, photometric="rgb" if array.shape[2:] == (3,) else "minisblack")
    return path


def field(seed, **options):
    """Draw a small field; return its image, uint16, and its labels."""
    drawn = draw_field((64, 64), columns=3, diameter_px=13, seed=seed, **options)
    return (drawn.image * 60000).astype(np.uint16), drawn.labels

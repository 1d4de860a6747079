"""Write docs/label-free-result.png: labels from a stain, and what the module finds without it.

    PYTHONPATH=plugins:. .venv/cellprofiler/bin/python scripts/write_label_free_result.py IMAGE LABELS MODEL.onnx

IMAGE is a phase-contrast image of the example of google/in-silico-labeling (Apache-2.0; Christiansen et al., Cell 173,
792, 2018), LABELS its labels of `cpunet labels from-stain`, and MODEL.onnx was trained on all quarters but the lower
right one.
"""

import sys
from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.labeled_images import zero_to_one
from benchmarks.run_module import objects_unet, run_module
from cpunet.files.images import read_image, read_label_numbers
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.plugin.basic_settings import RESCALE_FROM_RANGE

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "label-free-result.png"
# At the right, the upper and the lower half: the lower one belongs to the quarter that was not trained on.
PART = slice(60, 960), slice(540, 1000)
GAP_PX, COLORS = 6, 96
DIAMETERS_PX = (18, 40)


def main(image_path: str, labels_path: str, model_path: str) -> None:
    """Run the module, and draw its objects beside the labels."""
    image, labels = read_image(Path(image_path)), read_label_numbers(Path(labels_path))
    image = image[: labels.shape[0], : labels.shape[1]]  # without the edge that the moved stain does not cover
    module = objects_unet()
    module.model_name.value = "A model file of your own"
    module.model_directory.value = f"Elsewhere...|{Path(model_path).resolve().parent}"
    module.model_file.value = Path(model_path).name
    module.rescale.value = RESCALE_FROM_RANGE
    module.size_range.value = DIAMETERS_PX
    found = run_module(module, zero_to_one(image)).labels
    shown = gray_picture(image)
    panels = [draw_outlines(shown, outlined)[PART] for outlined in (labels, found)]
    both = np.hstack([panels[0], np.full((panels[0].shape[0], GAP_PX, 3), 255, np.uint8), panels[1]])
    PIL.Image.fromarray(both).quantize(COLORS, dither=PIL.Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{labels.max()} labels, {found.max()} objects")


if __name__ == "__main__":
    main(*sys.argv[1:])

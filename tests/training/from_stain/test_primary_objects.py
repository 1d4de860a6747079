import os
import subprocess

import numpy as np
import pytest

from benchmarks.phase_like.pairs import drawn_labels
from benchmarks.phase_like.stain import stain_light
from cpunet.errors import DataError
from cpunet.scores import pool_scores, score_image
from cpunet.training.from_stain.adaptive_otsu import adaptive_otsu
from cpunet.training.from_stain.primary_objects import primary_objects
from cpunet.training.from_stain.recipes import ThesisRecipe, equalized
from tests.places import REPOSITORY

CELLPROFILER = REPOSITORY / ".venv/cellprofiler/bin/python"
SETTINGS = [("intensity", (5, 30)), ("shape", (5, 30)), ("shape", (10, 60))]
RUN = """
import sys
import numpy as np
from benchmarks.run_module import primary_objects_adaptive, run_module
image, declump, low, high, result = sys.argv[1:]
module = primary_objects_adaptive(20, (0.05, 1.0), declump, (int(low), int(high)))
np.save(result, run_module(module, np.load(image)).labels)
"""


def drawn_stain(seed):
    """A stain of drawn nuclei, some of which touch, with noise; 0..1."""
    rng = np.random.default_rng(seed)
    light = stain_light(drawn_labels(seed), rng)
    light += rng.normal(0, 15, light.shape)
    return equalized(light.astype(np.float32), ThesisRecipe())


@pytest.mark.skipif(not CELLPROFILER.is_file(), reason="CellProfiler is not set up in .venv/cellprofiler")
@pytest.mark.parametrize(("declump", "diameters"), SETTINGS)
def test_objects_are_those_of_the_module_itself(tmp_path, declump, diameters):
    image = drawn_stain(1)
    np.save(tmp_path / "image.npy", image)
    java = subprocess.run([REPOSITORY / "scripts/need_jdk_and_compiler.sh"], capture_output=True, text=True)
    environment = {**os.environ, "PYTHONPATH": "plugins", "JAVA_HOME": java.stdout.strip()}
    words = [tmp_path / "image.npy", declump, *map(str, diameters), tmp_path / "labels.npy"]
    subprocess.run([CELLPROFILER, "-W", "ignore", "-c", RUN, *words], cwd=REPOSITORY, env=environment, check=True)
    module = np.load(tmp_path / "labels.npy").astype(np.int32)
    found = primary_objects(image, 20, (0.05, 1.0), declump, diameters)
    assert module.max() > 15
    assert ((module > 0) == (found > 0)).mean() > 0.999
    score = pool_scores([score_image(module, found)])
    assert score.f1[0.9] > 0.95


def test_touching_nuclei_are_separated_by_shape_unless_nobody_asks():
    image, truth = drawn_stain(1), drawn_labels(1)
    whole = primary_objects(image, 20, (0.05, 1.0), "none", (10, 90))
    parted = primary_objects(image, 20, (0.05, 1.0), "shape", (10, 60))
    assert whole.max() < parted.max() - 3
    assert parted.max() == pytest.approx(truth.max(), abs=3)
    assert pool_scores([score_image(truth, parted)]).f1[0.5] > 0.9


def test_objects_out_of_the_range_of_diameters_are_dropped():
    image = drawn_stain(2)
    assert primary_objects(image, 20, (0.05, 1.0), "none", (10, 60)).max() > 15
    assert primary_objects(image, 20, (0.05, 1.0), "none", (40, 60)).max() == 0


def test_the_threshold_follows_the_light_and_stays_in_its_bounds():
    image = drawn_stain(2) * np.linspace(0.4, 1, 300, dtype=np.float32)
    threshold = adaptive_otsu(image, 20, (0.05, 1.0))
    assert threshold.shape == image.shape
    assert threshold[:, :60].mean() < threshold[:, -60:].mean()
    bounded = adaptive_otsu(image, 20, (0.3, 0.31))
    assert bounded.min() >= 0.3
    assert bounded.max() <= 0.31


def test_a_window_that_is_too_large_is_refused():
    with pytest.raises(DataError, match="window of 151 px is too large for an image of 300 x 300"):
        adaptive_otsu(drawn_stain(2), 151, (0, 1))

"""IdentifyPrimaryObjects as a patient user tunes it: the best of a grid of 30 settings, chosen anew for each row.

Three diameter ranges, as multiples of the typical diameter of the row's nuclei (the truth gives it); five ways to find
a threshold; two ways to separate touching objects. They are chosen on images that are also scored, which favors
IdentifyPrimaryObjects.
"""

import itertools
from typing import Any, List, NamedTuple, Sequence, Tuple

from benchmarks.labeled_images import BenchmarkImage, zero_to_one
from benchmarks.run_module import primary_objects, run_analysis
from benchmarks.stress.windows import window_of_nuclei
from cpunet.scores import SetScores, pool_scores, score_image

RANGES = ((0.35, 1.4), (0.55, 2.9), (0.7, 2.0))
# Of nine that were tried on BBBC039, each of these was the best or the next in some row. Adaptive ones have a window of
# five diameters.
THRESHOLDS = (
    "Minimum Cross-Entropy",
    "Minimum Cross-Entropy, adaptive",
    "Otsu, adaptive",
    "Otsu, three classes, middle is foreground, adaptive",
    "Otsu, three classes, middle is background",
)
DECLUMPING = ("Intensity", "Shape")
WINDOW_DIAMETERS = 5
# All settings are tried on a few images, dense and sparse: as many as hold so many pixels (at least two), and of large
# ones a window of this size. The best ones, three unless the images are large, are run on all images.
PIXELS_TO_TRY, WINDOW_TO_TRY = 800_000, (800, 1000)
BEST_TO_RUN, PIXELS_TO_RUN = 3, 13_000_000


class PrimarySetting(NamedTuple):
    """A setting of IdentifyPrimaryObjects; the range in pixels, the other two from the tuples above."""

    diameter_low_px: int
    diameter_high_px: int
    threshold: str
    declumping: str

    def __str__(self) -> str:
        """Return it as a user would say it."""
        return f"{self.diameter_low_px}-{self.diameter_high_px} px, {self.threshold}, {self.declumping}"


def grid(diameter_px: float) -> List[PrimarySetting]:
    """Return the settings for nuclei of a typical diameter."""
    ranges = [(max(1, round(low * diameter_px)), max(3, round(high * diameter_px))) for low, high in RANGES]
    return [PrimarySetting(*each, *rest) for each in ranges for rest in itertools.product(THRESHOLDS, DECLUMPING)]


def module_with(setting: PrimarySetting, window_px: int) -> Any:
    """Return IdentifyPrimaryObjects with a setting and a window for the adaptive threshold; it discards nothing."""
    from cellprofiler.modules import identifyprimaryobjects as primary
    from cellprofiler.modules import threshold

    module = primary_objects()
    module.size_range.value = (setting.diameter_low_px, setting.diameter_high_px)
    module.use_advanced.value = True
    found, words = module.threshold, setting.threshold.split(", ")
    adaptive = "adaptive" in words
    found.threshold_scope.value = threshold.TS_ADAPTIVE if adaptive else threshold.TS_GLOBAL
    operation = found.local_operation if adaptive else found.global_operation
    operation.value = threshold.TM_OTSU if "Otsu" in words else threshold.TM_LI
    found.two_class_otsu.value = threshold.O_THREE_CLASS if "three classes" in words else threshold.O_TWO_CLASS
    middle = threshold.O_FOREGROUND if "middle is foreground" in words else threshold.O_BACKGROUND
    found.assign_middle_to_foreground.value = middle
    found.adaptive_window_size.value = window_px
    shape = setting.declumping == "Shape"
    module.unclump_method.value = primary.UN_SHAPE if shape else primary.UN_INTENSITY
    module.watershed_method.value = primary.WA_SHAPE if shape else primary.WA_INTENSITY
    return module


def score_module(module: Any, truths: Sequence[BenchmarkImage]) -> SetScores:
    """Run a module on images and score it."""
    runs = run_analysis(module, (zero_to_one(truth.image) for truth in truths))
    return pool_scores([score_image(truth.labels, run.labels) for truth, run in zip(truths, runs)])


def images_to_try(truths: Sequence[BenchmarkImage]) -> List[BenchmarkImage]:
    """Return a few of the images, evenly chosen, and of each as much as `WINDOW_TO_TRY` holds."""
    windows = [window_of_nuclei(truth.labels, WINDOW_TO_TRY) for truth in truths]
    cut = [truth._replace(image=truth.image[at], labels=truth.labels[at]) for truth, at in zip(truths, windows)]
    count = min(len(cut), max(2, PIXELS_TO_TRY // cut[0].image.size))
    return [cut[int((place + 0.5) * len(cut) / count)] for place in range(count)]


def tune(truths: Sequence[BenchmarkImage], diameter_px: float) -> Tuple[PrimarySetting, SetScores]:
    """Find the best setting for images, by mean F1, and its scores on all of them."""
    few = images_to_try(truths)
    # CellProfiler refuses a window of more than half an image.
    half = min(min(truth.image.shape) // 2 for truth in few)
    window_px = min(half, max(3, round(WINDOW_DIAMETERS * diameter_px)))
    tried = {setting: score_module(module_with(setting, window_px), few) for setting in grid(diameter_px)}
    count = min(BEST_TO_RUN, max(1, PIXELS_TO_RUN // sum(truth.image.size for truth in truths)))
    best = sorted(tried, key=lambda setting: -tried[setting].mean_f1)[:count]
    scores = {setting: score_module(module_with(setting, window_px), truths) for setting in best}
    chosen = max(best, key=lambda setting: scores[setting].mean_f1)
    return chosen, scores[chosen]

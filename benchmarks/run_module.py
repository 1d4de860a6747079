"""Run one CellProfiler module on images, in this process, without a window."""

import time
from typing import Any, Iterable, Iterator, NamedTuple

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()

import numpy as np
from cellprofiler_core.image import Image
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.workspace import Workspace


class ModuleRun(NamedTuple):
    """The labels that a module made, and the seconds that its run() took."""

    labels: np.ndarray
    seconds: float


def primary_objects() -> Any:
    """Return IdentifyPrimaryObjects with default settings, except that it discards nothing."""
    from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects

    return named(IdentifyPrimaryObjects())


def primary_objects_tuned(diameter_low_px: int, diameter_high_px: int) -> Any:
    """Return IdentifyPrimaryObjects with three-class Otsu, the middle class as foreground, and declumping by shape."""
    from cellprofiler.modules import identifyprimaryobjects as primary
    from cellprofiler.modules import threshold

    module = primary_objects()
    module.size_range.value = (diameter_low_px, diameter_high_px)
    module.use_advanced.value = True
    module.threshold.threshold_scope.value = threshold.TS_GLOBAL
    module.threshold.global_operation.value = threshold.TM_OTSU
    module.threshold.two_class_otsu.value = threshold.O_THREE_CLASS
    module.threshold.assign_middle_to_foreground.value = threshold.O_FOREGROUND
    module.unclump_method.value = primary.UN_SHAPE
    module.watershed_method.value = primary.WA_SHAPE
    return module


def primary_objects_adaptive(window_px: int, bounds: tuple, declump: str, diameters_px: tuple) -> Any:
    """Return IdentifyPrimaryObjects with an adaptive threshold of Otsu, as `cpunet labels from-stain` rebuilds it.

    Objects of other diameters are discarded, and those at the frame are kept. ``declump`` is ``intensity`` or
    ``shape``.
    """
    from cellprofiler.modules import identifyprimaryobjects as primary
    from cellprofiler.modules import threshold

    module = primary_objects()
    module.exclude_size.value = True
    module.size_range.value = diameters_px
    module.use_advanced.value = True
    module.threshold.threshold_scope.value = threshold.TS_ADAPTIVE
    module.threshold.local_operation.value = threshold.TM_OTSU
    module.threshold.two_class_otsu.value = threshold.O_TWO_CLASS
    module.threshold.adaptive_window_size.value = window_px
    module.threshold.threshold_range.value = bounds
    by_shape = declump == "shape"
    module.unclump_method.value = primary.UN_SHAPE if by_shape else primary.UN_INTENSITY
    module.watershed_method.value = primary.WA_SHAPE if by_shape else primary.WA_INTENSITY
    return module


def objects_unet() -> Any:
    """Return IdentifyObjectsUNet with default settings, except that it discards nothing."""
    from identifyobjectsunet import IdentifyObjectsUNet

    return named(IdentifyObjectsUNet())


def named(module: Any) -> Any:
    """Give a module the names that `run_module` uses; let it discard no object and draw nothing."""
    module.set_module_num(1)
    module.x_name.value, module.y_name.value = "DNA", "Nuclei"
    module.exclude_size.value = module.exclude_border_objects.value = False
    module.show_window = False
    return module


def run_module(module: Any, pixels: np.ndarray) -> ModuleRun:
    """Run a module on one image, see `run_analysis`."""
    return next(run_analysis(module, [pixels]))


def run_analysis(module: Any, images: Iterable[np.ndarray]) -> Iterator[ModuleRun]:
    """Run a module from one of the functions above on image sets, one after another, as CellProfiler's own loop does.

    Each image, (Y, X), float, 0..1, is an image set. One file of measurements stays open for all of them; workspace and
    objects are dropped after each.
    """
    pipeline = Pipeline()
    pipeline.add_module(module)
    measurements = Measurements(image_set_start=1)
    try:
        for number, pixels in enumerate(images, start=1):
            measurements.clear_cache()
            for provider in measurements.providers:
                provider.release_memory()
            measurements.next_image_set(number)
            measurements.add("DNA", Image(pixels))
            objects = ObjectSet()
            start = time.perf_counter()
            module.run(Workspace(pipeline, module, measurements, objects, measurements, None))
            yield ModuleRun(objects.get_objects("Nuclei").segmented, time.perf_counter() - start)
    finally:
        measurements.close()

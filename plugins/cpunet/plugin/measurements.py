"""The names, columns and values of the measurements that the module makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import numpy
from cellprofiler_core.constants.measurement import (
    COLTYPE_FLOAT,
    COLTYPE_INTEGER,
    COLTYPE_VARCHAR_FORMAT,
    EXPERIMENT,
    FF_COUNT,
    IMAGE,
    M_LOCATION_CENTER_X,
    M_LOCATION_CENTER_Y,
    M_LOCATION_CENTER_Z,
    M_NUMBER_OBJECT_NUMBER,
)

from cpunet.steps.confidence import boundary_confidence, count_from_area, foreground_area, foreground_confidence
from cpunet.steps.runs import Runs, areas_of_runs, runs_of

# Categories, as CellProfiler's lists of measurements group them.
SEGMENTATION, CONFIDENCE = "Segmentation", "Confidence"
FOREGROUND_AREA, COUNT_FROM_AREA, SECONDS = "ForegroundArea", "CountFromArea", "Seconds"
MODEL, MODEL_SHA256 = "Model", "ModelSHA256"
FOREGROUND, BOUNDARY = "Foreground", "Boundary"
NUMBERS_OF_IMAGE = (FOREGROUND_AREA, COUNT_FROM_AREA, SECONDS)
FEATURES_OF_OBJECTS = (FOREGROUND, BOUNDARY)
LONGEST_MODEL_NAME = 256
LONGEST_SUMS = 1040  # of 16 models that are averaged


@dataclass(frozen=True)
class ModelUsed:
    """Which model made the objects.

    Attributes
    ----------
    name : str
    sha256 : str
        Checksum of its file. For averaged models, their checksums joined by a plus.
    """

    name: str
    sha256: str


def feature_of_image(feature: str, object_name: str) -> str:
    """Return the full name of a measurement of the image, such as Segmentation_Seconds_Nuclei."""
    return f"{SEGMENTATION}_{feature}_{object_name}"


def feature_of_object(feature: str) -> str:
    """Return the full name of a measurement of the objects, such as Confidence_Foreground."""
    return f"{CONFIDENCE}_{feature}"


def measurement_columns(object_name: str) -> List[Tuple[str, str, str]]:
    """Return the columns besides the standard ones, as CellProfiler's exports need them.

    Returns
    -------
    list of (str, str, str)
        Object or table, measurement, column type.
    """
    name_type = COLTYPE_VARCHAR_FORMAT % LONGEST_MODEL_NAME
    sum_type = COLTYPE_VARCHAR_FORMAT % LONGEST_SUMS
    texts = [
        (table, feature_of_image(feature, object_name), kind)
        for table in (IMAGE, EXPERIMENT)
        for feature, kind in ((MODEL, name_type), (MODEL_SHA256, sum_type))
    ]
    kinds = {FOREGROUND_AREA: COLTYPE_INTEGER, COUNT_FROM_AREA: COLTYPE_FLOAT, SECONDS: COLTYPE_FLOAT}
    return [
        *[(IMAGE, feature_of_image(feature, object_name), kind) for feature, kind in kinds.items()],
        *texts,
        *[(object_name, feature_of_object(feature), COLTYPE_FLOAT) for feature in FEATURES_OF_OBJECTS],
    ]


def measure_objects(labels: Any, runs: Runs) -> Dict[str, Any]:
    """Compute CellProfiler's standard measurements: the numbers of its own method, in less time.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps.
    runs : Runs
        Those of `labels`.

    Returns
    -------
    dict of str to ndarray of shape (n,)
    """
    centers = centers_of_objects(runs, labels.shape)
    count = len(centers[-1])
    return {
        M_LOCATION_CENTER_X: centers[-1],
        M_LOCATION_CENTER_Y: centers[-2],
        M_LOCATION_CENTER_Z: centers[0] if labels.ndim == 3 else numpy.zeros(count),
        M_NUMBER_OBJECT_NUMBER: numpy.arange(1, count + 1),
    }


def centers_of_objects(runs: Runs, shape: Tuple[int, ...]) -> List[Any]:
    """Return the mean position of each object along each axis.

    Parameters
    ----------
    runs : Runs
        Of labels 1..n without gaps.
    shape : tuple of int
        (Y, X) or (Z, Y, X).

    Returns
    -------
    list of ndarray of shape (n,), float64
        In pixels, in the order of the axes; 0 is the center of the first pixel.
    """
    number = runs.number - 1
    areas = areas_of_runs(runs)[1:]
    *upper, first = numpy.unravel_index(runs.first, shape)
    middles = [*upper, first + (runs.length - 1) / 2]
    return [numpy.bincount(number, weights=runs.length * middle) / areas for middle in middles]


def add_measurements(
    measurements: Any,
    object_name: str,
    labels: Any,
    foreground: Any,
    seconds: float,
    model: ModelUsed,
    confidence: Any = None,
) -> List[str]:
    """Write all measurements of one image set.

    Parameters
    ----------
    measurements : cellprofiler_core.measurement.Measurements
    object_name : str
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps.
    foreground : ndarray of the shape of `labels`, float32
        Probability that a pixel lies in an object, 0..1.
    seconds : float
        The time that the module took for the image set.
    model : ModelUsed
    confidence : ndarray of shape (n,), float64, optional
        How certain the model is of each object, 0..1, if it says so itself; by default, the mean of `foreground` in it.

    Returns
    -------
    list of str
        Sentences that a user should read: which measurement could not be made, and why.
    """
    runs = runs_of(labels)
    of_objects = measure_objects(labels, runs)
    certainty = foreground_confidence(labels, foreground, runs) if confidence is None else confidence
    of_objects[feature_of_object(FOREGROUND)] = certainty
    of_objects[feature_of_object(BOUNDARY)] = boundary_confidence(labels, foreground)
    add_measurements_of_objects(measurements, object_name, of_objects)
    count = len(of_objects[M_NUMBER_OBJECT_NUMBER])
    from_area = count_from_area(labels, runs)
    measurements.add_measurement(IMAGE, FF_COUNT % object_name, numpy.array([count], dtype=float))
    for feature, value in (
        (FOREGROUND_AREA, foreground_area(labels)),
        (COUNT_FROM_AREA, from_area),
        (SECONDS, seconds),
        (MODEL, model.name[:LONGEST_MODEL_NAME]),
        (MODEL_SHA256, model.sha256[:LONGEST_SUMS]),
    ):
        measurements.add_measurement(IMAGE, feature_of_image(feature, object_name), value)
    if not numpy.isnan(from_area):
        return []
    return [
        f"{feature_of_image(COUNT_FROM_AREA, object_name)} is not a number (nan), because too few of the {count} "
        f"objects lie apart from the others to say how large one object is. {FF_COUNT % object_name} holds."
    ]


def add_measurements_of_objects(measurements: Any, object_name: str, of_objects: Dict[str, Any]) -> None:
    """Write several measurements of the same objects.

    CellProfiler's `add_measurement` also writes the numbers of the objects, each time anew: for 100 objects that takes
    twice as long as the measurement itself. So this is done with the first one alone.
    """
    first, *others = of_objects
    measurements.add_measurement(object_name, first, of_objects[first])
    for feature in others:
        measurements.hdf5_dict[object_name, feature, measurements.image_set_number] = of_objects[feature]


def add_experiment_measurements(measurements: Any, object_name: str, model: ModelUsed) -> None:
    """Write, once a run, which model it started with."""
    for feature, value in ((MODEL, model.name[:LONGEST_MODEL_NAME]), (MODEL_SHA256, model.sha256[:LONGEST_SUMS])):
        measurements.add_experiment_measurement(feature_of_image(feature, object_name), value)


def sums_at_the_beginning(measurements: Any, object_name: str) -> str:
    """Return the sums of the models with which a run began; '' if none were written."""
    feature = feature_of_image(MODEL_SHA256, object_name)
    if not measurements.has_feature(EXPERIMENT, feature):
        return ""
    return str(measurements.get_experiment_measurement(feature))

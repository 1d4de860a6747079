"""The module RecordComparison, which writes what both modules found. Only `cpunet compare` puts it in pipelines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, List

import numpy
from cellprofiler_core.constants.measurement import C_FILE_NAME, C_PATH_NAME, IMAGE
from cellprofiler_core.module import Module
from cellprofiler_core.preferences import get_default_output_directory
from cellprofiler_core.setting.text import Text

from cpunet.comparison.records import Record, record_path, write_fields, write_record


class RecordComparison(Module):  # type: ignore[misc]
    """Write the image and the objects of both modules into the default output folder, one file a field."""

    category = "Object Processing"
    module_name = "RecordComparison"
    variable_revision_number = 1

    def create_settings(self) -> None:
        """Create the settings that `cpunet.comparison.pipeline_of_both` writes."""
        self.pair = Text("Pair", "1")
        self.image = Text("Image", "")
        self.primary = Text("Objects of IdentifyPrimaryObjects", "")
        self.unet = Text("Objects of IdentifyObjectsUNet", "")

    def settings(self) -> List[Any]:
        """Return all settings in the order of the pipeline file."""
        return [self.pair, self.image, self.primary, self.unet]

    def prepare_run(self, workspace: Any) -> bool:
        """Write which fields there will be."""
        measurements = workspace.measurements
        numbers = measurements.get_image_numbers()
        if not len(numbers):
            return True
        features = [name for name in measurements.get_feature_names(IMAGE) if name.startswith(f"{C_FILE_NAME}_")]
        fields = {}
        for number in numbers:
            fields[int(number)] = {
                name[len(C_FILE_NAME) + 1 :]: os.path.join(
                    _text(measurements, name.replace(C_FILE_NAME, C_PATH_NAME, 1), number),
                    _text(measurements, name, number),
                )
                for name in features
            }
        write_fields(Path(get_default_output_directory()), fields)
        return True

    def run(self, workspace: Any) -> None:
        """Write one field."""
        image = workspace.image_set.get_image(self.image.value, must_be_grayscale=True)
        pixels = numpy.array(image.pixel_data, numpy.float32)
        if image.has_mask:
            pixels[~image.mask] = numpy.nan
        primary, unet = (
            workspace.object_set.get_objects(each.value).segmented.astype(numpy.int32)
            for each in (self.primary, self.unet)
        )
        number = workspace.measurements.image_set_number
        path = record_path(Path(get_default_output_directory()), int(self.pair.value), number)
        write_record(path, Record(pixels, primary, unet))


def _text(measurements: Any, feature: str, number: int) -> str:
    value = measurements.get_measurement(IMAGE, feature, image_set_number=number)
    return "" if value is None else str(value)

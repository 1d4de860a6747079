"""The CellProfiler modules that are compared: IdentifyPrimaryObjects, and IdentifyObjectsUNet with each model."""

from typing import Any, Dict, Sequence

from benchmarks.run_module import objects_unet, primary_objects_tuned
from benchmarks.speed.series import PRIMARY

# Diameters, pixels, of the nuclei of BBBC039 and of the drawn fields.
DIAMETER_RANGE_PX = (15, 80)


def module_methods(models: Sequence[str]) -> Dict[str, Any]:
    """Return ready modules by their names in tables.

    IdentifyPrimaryObjects is set for these images: three-class Otsu, declumping by shape. IdentifyObjectsUNet has its
    default settings but for the model, a name or a file.
    """
    modules = {PRIMARY: primary_objects_tuned(*DIAMETER_RANGE_PX)}
    for name in models:
        modules[name] = objects_unet()
        modules[name].model_name.value = name
    return modules

"""The text of a pipeline in which both modules find objects in the same images."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import List, NamedTuple, Sequence, Tuple

from cpunet.conversion.convert import Converted
from cpunet.conversion.escapes import value_of, written_for
from cpunet.conversion.saved import PRIMARY, UNET, SavedModule, Setting
from cpunet.errors import ComparisonError

RECORD = "RecordComparison"
# What these write belongs to the user's own runs, and might replace it.
WRITE_FILES = re.compile(r"SaveImages|SaveCroppedObjects|CreateBatchFiles|ExportTo\w+")
UNET_ENDING = "_UNet"
HEADER = """\
CellProfiler Pipeline: http://www.cellprofiler.org
Version:5
DateRevision:400
GitHash:
ModuleCount:{count}
HasImagePlaneDetails:False
"""
# Nothing is shown in a window.
ATTRIBUTES = (
    "[module_num:{number}|svn_version:'Unknown'|variable_revision_number:{revision}|show_window:False|notes:[]"
    "|batch_state:array([], dtype=uint8)|enabled:{enabled}|wants_pause:False]"
)


class Pair(NamedTuple):
    """Two modules that find objects in the same image.

    Attributes
    ----------
    objects, image : str
        The names of the objects in the user's pipeline, and of the image.
    primary, unet : int
        The numbers of the modules in the pipeline of both.
    """

    objects: str
    image: str
    primary: int
    unet: int


@dataclass(frozen=True)
class PipelineOfBoth:
    """A pipeline that runs both modules.

    Attributes
    ----------
    text : str
        Of its file.
    pairs : tuple of Pair
    left_out : tuple of str
        Modules of the user's that are not run, since they write files.
    loads_data : bool
        Whether a CSV file names the images, by LoadData.
    """

    text: str
    pairs: Tuple[Pair, ...]
    left_out: Tuple[str, ...]
    loads_data: bool


def pipeline_of_both(modules: Sequence[SavedModule], converted: Converted) -> PipelineOfBoth:
    """Put each IdentifyObjectsUNet behind the module that it replaces, and a recorder behind both.

    Parameters
    ----------
    modules : sequence of SavedModule
        Of the user's pipeline.
    converted : Converted
        The same pipeline with IdentifyObjectsUNet in the place of each IdentifyPrimaryObjects.

    Returns
    -------
    PipelineOfBoth
        All modules up to the last IdentifyPrimaryObjects are as they were, but for those that write files.

    Raises
    ------
    ComparisonError
        If the pipeline runs no IdentifyPrimaryObjects.
    """
    of_unet = {each.before.number: each.after for each in converted.exchanges if each.before.enabled}
    if not of_unet:
        why = "it is disabled" if converted.exchanges else f"it has {_listed(modules)}"
        raise ComparisonError(
            f"no module {PRIMARY} runs in this pipeline: {why}. Give a pipeline that finds objects by this module."
        )
    both: List[SavedModule] = []
    pairs: List[Pair] = []
    left_out: List[str] = []
    values = {setting.value for module in modules for setting in module.settings}
    for module in modules[: max(of_unet)]:
        if WRITE_FILES.fullmatch(module.name):
            left_out.append(module.name)
            continue
        both.append(module)
        if module.number in of_unet:
            image, objects = module.settings[0].value, module.settings[1].value
            second = _free_name(objects + UNET_ENDING, values)
            pairs.append(Pair(objects, image, len(both), len(both) + 1))
            both += [_with_objects(of_unet[module.number], second), _recorder(len(pairs), image, objects, second)]
    texts = [HEADER.format(count=len(both)), *(_text(module, number) for number, module in enumerate(both, start=1))]
    loads_data = any(module.name == "LoadData" and module.enabled for module in both)
    return PipelineOfBoth("\n".join(texts), tuple(pairs), tuple(left_out), loads_data)


def _listed(modules: Sequence[SavedModule]) -> str:
    return ", ".join(module.name for module in modules) or "no module"


def _free_name(name: str, used: set[str]) -> str:
    """Return a name for objects that no setting of the pipeline holds."""
    while name in used:
        name += "2"
    return name


def _with_objects(module: SavedModule, name: str) -> SavedModule:
    image, objects, *others = module.settings
    return replace(module, settings=(image, Setting(objects.text, name), *others))


def _recorder(pair: int, image: str, primary: str, unet: str) -> SavedModule:
    settings = (
        Setting("Pair", str(pair)),
        Setting("Image", image),
        Setting(f"Objects of {PRIMARY}", primary),
        Setting(f"Objects of {UNET}", unet),
    )
    return SavedModule(0, RECORD, 1, True, settings)


def _text(module: SavedModule, number: int) -> str:
    attributes = ATTRIBUTES.format(number=number, revision=module.revision, enabled=module.enabled)
    lines = [f"    {setting.text}:{_written(setting)}" for setting in module.settings]
    return "\n".join([f"{module.name}:{attributes}", *lines, ""])


def _written(setting: Setting) -> str:
    """Return a value as a text pipeline spells it; one in JSON spells some in another way."""
    as_saved = setting.as_saved
    return as_saved if as_saved is not None and value_of(as_saved) == setting.value else written_for(setting.value)

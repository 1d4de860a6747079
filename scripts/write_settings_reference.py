"""Write docs/settings.md from the module itself, so that the page says what the window says.

    .venv/cellprofiler/bin/python scripts/write_settings_reference.py

Run it in the environment that has CellProfiler whenever a setting changes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "settings.md"

OPENING = """\
# Settings

Every setting of IdentifyObjectsUNet, in the order in which the window shows them, with its help. What depends
on another setting is hidden until that one asks for it. Which value suits your images:
[Choose the settings](choosing-settings.md).

This page is written from the module by `scripts/write_settings_reference.py`; a test fails where the two differ.
"""

# Each heading stands above the setting of this text.
HEADINGS = {
    "Select the input image": "Image and objects",
    "Select the model": "Model",
    "Which images does this model take?": "A model file without a model card",
    "Describe the model": "Buttons for models",
    "Select the image of the channel NAME": "A model of several gray channels",
    "Typical diameter of objects, in pixel units (Min,Max)": "Size and border",
    "Rescale the image for the model?": "Rescaling",
    "Spacing of the planes": "A model of volumes",
    "Use advanced settings?": "Advanced: outlines, and objects that touch",
    "Fill holes in identified objects?": "Advanced: holes, and too many objects",
    "Further models": "Advanced: the network",
    "Select the device": "Advanced: the device",
    "Save the probability image?": "Advanced: probability images",
    "Replace a module of this pipeline": "The button for replacing IdentifyPrimaryObjects",
}


def module_showing_everything() -> Any:
    """Make a module with its conditions such that no setting is hidden.

    Returns
    -------
    IdentifyObjectsUNet
    """
    from identifyobjectsunet import IdentifyObjectsUNet

    from cpunet.plugin.advanced_settings import COMBINE_CHOOSE, DECLUMP_PROBABILITY, LIMIT_ERASE, OUTLINES_AT_LEVEL
    from cpunet.plugin.basic_settings import RESCALE_BY_FACTOR
    from cpunet.plugin.model_settings import MODEL_FROM_FILE
    from cpunet.plugin.spacing_settings import AS_GIVEN

    module = IdentifyObjectsUNet()
    module.model_name.value = MODEL_FROM_FILE
    module.model_settings.lacks_card = lambda: True
    module.model_settings.sees_volumes = lambda: True
    module.spacing_settings.source.value = AS_GIVEN
    module.model_settings.channels = lambda: ("FIRST", "NAME")
    module.rescale.value = RESCALE_BY_FACTOR
    module.advanced.value = module.probability_settings.save.value = True
    more = module.advanced_settings
    more.use_model_threshold.value = False
    more.outlines.value = OUTLINES_AT_LEVEL
    more.further_models.value, more.combine.value = "OTHER", COMBINE_CHOOSE
    more.declump_method.value = DECLUMP_PROBABILITY
    more.limit_choice.value = LIMIT_ERASE
    for automatic in (more.smoothing_automatic, more.distance_automatic, more.tiles_automatic, more.memory_automatic):
        automatic.value = False
    module.probability_settings.add()
    module.take_over.sources = lambda: [module]
    return module


def default_values() -> Dict[str, str]:
    """Return what a new module's settings are set to, by their text; only where it tells something."""
    from cellprofiler_core.setting.subscriber import ImageSubscriber
    from cellprofiler_core.setting.text import Directory
    from identifyobjectsunet import IdentifyObjectsUNet

    module = IdentifyObjectsUNet()
    module.probability_settings.add()
    further = module.probability_settings.further[0]
    settings = [*module.settings(), further.role, further.image_name]
    return {
        setting.text: setting.value_text.replace(",", " to ") if "(Min,Max)" in setting.text else setting.value_text
        for setting in settings
        if not isinstance(setting, (ImageSubscriber, Directory)) and setting.value_text
    }


def reference() -> str:
    """Return the whole page.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a heading belongs to a setting that is not there any more.
    """
    defaults = default_values()
    missing = dict(HEADINGS)
    parts = [OPENING]
    for setting in module_showing_everything().visible_settings():
        if not setting.text:  # the button that removes a group
            continue
        heading = missing.pop(setting.text, None)
        if heading:
            parts.append(f"## {heading}\n")
        parts.append(described(setting, defaults))
    if missing:
        raise ValueError(f"No setting is called {next(iter(missing))!r} any more. Correct HEADINGS.")
    return "\n".join(parts)


def described(setting: Any, defaults: Dict[str, str]) -> str:
    """Return the section of one setting: its text, when it is used, its default, its help."""
    from cellprofiler_core.setting.do_something import DoSomething

    condition, text = split_condition(setting.doc.strip())
    lines: List[str] = [f"### {setting.text}", ""]
    if isinstance(setting, DoSomething):
        lines += [f"The button **{setting.label}**.", ""]
    if condition:
        lines += [f"*Used only {condition}.*", ""]
    if setting.text in defaults and not isinstance(setting, DoSomething):
        lines += [f"Default: `{defaults[setting.text]}`", ""]
    return "\n".join([*lines, markdown(text), ""])


def split_condition(doc: str) -> Tuple[str, str]:
    """Split a help text into the condition that it begins with, or an empty text, and the rest."""
    match = re.match(r"\*\(Used only (?P<condition>[^*]+)\)\*\s*", doc)
    return (match["condition"], doc[match.end() :]) if match else ("", doc)


def markdown(rest: str) -> str:
    """Turn the little reStructuredText that the help uses into Markdown.

    Parameters
    ----------
    rest : str
        Paragraphs, lists, emphasis and code: only code and list marks differ.

    Returns
    -------
    str
    """
    return re.sub(r"^   (?=\S)", "  ", re.sub(r"^-  ", "- ", rest.replace("``", "`"), flags=re.M), flags=re.M)


def main() -> int:
    """Write the page."""
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    import cellprofiler_core.preferences

    cellprofiler_core.preferences.set_headless()
    from cpunet.files.written_beside import written_beside

    with written_beside(PAGE) as beside:
        beside.write_text(reference(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

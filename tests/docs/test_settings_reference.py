"""docs/settings.md says what the module says."""

import re

from cellprofiler_core.setting import HiddenCount
from identifyobjectsunet import IdentifyObjectsUNet

from scripts.write_settings_reference import PAGE, markdown, reference, split_condition


def test_the_committed_page_is_what_the_module_gives():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "docs/settings.md differs from the module; write it again: python scripts/write_settings_reference.py"
    )


def test_each_setting_has_one_section():
    module = IdentifyObjectsUNet()
    module.probability_settings.add()
    further = module.probability_settings.further[0]
    settings = [*module.settings(), further.role, further.image_name]
    wanted = [setting.text for setting in settings if not isinstance(setting, HiddenCount)]
    sections = re.findall(r"^### (.+)$", reference(), flags=re.M)
    assert len(sections) == len(set(sections))
    assert set(wanted) <= set(sections)


def test_the_condition_is_split_off_and_lists_become_markdown():
    condition, text = split_condition("*(Used only with advanced settings)*\n\n-  *A:* one\n   line, ``x``.")
    assert condition == "with advanced settings"
    assert markdown(text) == "- *A:* one\n  line, `x`."

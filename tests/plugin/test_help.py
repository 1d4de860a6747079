"""The module's help, as CellProfiler renders it."""

import re

import docutils.core
from identifyobjectsunet import IdentifyObjectsUNet

from cpunet.plugin.help import HELP


def test_the_help_is_sound_rest():
    module = IdentifyObjectsUNet()
    texts = [HELP, *[setting.doc for setting in module.settings()]]
    for text in texts:
        docutils.core.publish_string(text, writer_name="null", settings_overrides={"halt_level": 2, "report_level": 5})
    assert re.search(r"Supports 2D\? Supports 3D\? Respects masks\?", HELP)


def test_the_window_shows_the_whole_help(module):
    help_text = module.get_help()
    for words in ("Supports 2D?", "What do I need as input?", "Location", "Foreground threshold", "Caicedo"):
        assert words in help_text

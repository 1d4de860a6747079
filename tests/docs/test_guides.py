"""docs/choosing-settings.md names existing settings, choices and models."""

import re

from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.do_something import DoSomething

from cpunet.model.find import list_models
from cpunet.onnx_reader.metadata import read_card
from scripts.write_settings_reference import module_showing_everything
from tests.places import REPOSITORY

DOCS = REPOSITORY / "docs"
OTHER_MODULES = {"ColorToGray", "NamesAndTypes"}
OTHER_WORDS = {"Step", "Yes", "No", "Rescaled by", "Process as 3D?", "File > Preferences"}
PANELS = {"Probability of an object", "Probability of a border"}


def text_of(name):
    return (DOCS / name).read_text(encoding="utf-8")


def test_choosing_settings_names_real_settings_choices_and_models():
    settings = module_showing_everything().visible_settings()
    texts = {setting.text for setting in settings}
    words = {choice for setting in settings if isinstance(setting, Choice) for choice in setting.choices}
    words |= {setting.label for setting in settings if isinstance(setting, DoSomething)} | set(list_models())
    text = re.sub(r"\s+", " ", text_of("choosing-settings.md").replace("\n", " "))
    bold = set(re.findall(r"\*\*(.+?)\*\*", text))
    labels = {label for label in bold if label.endswith(":")}  # of the items of a list
    assert len(bold - labels) > 10
    assert bold - labels - OTHER_MODULES <= texts
    italic = set(re.findall(r"\*([^*]+)\*", re.sub(r"\*\*.+?\*\*", "", text)))
    assert len(italic) > 10
    assert italic <= words | OTHER_WORDS | PANELS


def test_each_shipped_model_stands_in_the_table_with_the_sizes_of_its_card():
    rows = dict(
        re.findall(r"^\|.+\| \*(\w+)\* \| (\d+ to \d+) pixels \|$", text_of("choosing-settings.md"), flags=re.M)
    )
    cards = {name: read_card(path).input for name, path in list_models().items()}
    assert rows == {name: f"{card.diameter_low_px:.0f} to {card.diameter_high_px:.0f}" for name, card in cards.items()}

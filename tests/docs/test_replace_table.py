"""docs/replace-identifyprimaryobjects.md names everything that the real IdentifyPrimaryObjects has."""

import re

import pytest
from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects
from cellprofiler_core.setting import Setting
from cellprofiler_core.setting.choice import Choice

from scripts.write_settings_reference import module_showing_everything
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "replace-identifyprimaryobjects.md"
IN_NO_WINDOW = {"Name the output image"}  # of the Threshold module inside, which IdentifyPrimaryObjects never shows


def table(heading):
    """The rows of a section's table, as {left: right}."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, flags=re.M)
    assert rows[0] == ("IdentifyPrimaryObjects", "here")
    assert len(dict(rows)) == len(rows), "a row stands there twice"
    return {left.replace("`", ""): right for left, right in rows[1:]}


def primary():
    module = IdentifyPrimaryObjects()
    module.set_module_num(1)
    module.x_name.value, module.y_name.value = "DNA", "Nuclei"
    return module


def settings_of(module):
    found = [*module.settings(), *vars(module).values(), *vars(module.threshold).values()]
    return {setting.text: setting for setting in found if isinstance(setting, Setting)}


@pytest.fixture(scope="module")
def our_words():
    """The texts of our settings, and what they can be set to, as the window shows them."""
    settings = module_showing_everything().visible_settings()
    choices = {choice for setting in settings if isinstance(setting, Choice) for choice in setting.choices}
    return choices | {setting.text for setting in settings}


def test_each_setting_of_identify_primary_objects_has_a_row():
    assert set(table("Settings")) == set(settings_of(primary())) - IN_NO_WINDOW


def test_each_row_says_where_the_setting_is_or_why_not(our_words):
    for left, right in table("Settings").items():
        assert right.startswith(("*", "none", "the same setting")), left
        if right.startswith("none"):
            assert re.match(r"none(: .{20}|, as above)", right), left
        for named in re.findall(r"\*([^*]+)\*", right.replace("**", "")):
            assert named in our_words, named


def test_the_choices_of_settings_that_are_here_are_accounted_for():
    module, rows = primary(), table("Settings")
    for setting in (module.unclump_method, module.watershed_method, module.fill_holes, module.limit_choice):
        for choice in setting.choices:
            assert choice in rows[setting.text], (setting.text, choice)


def test_each_measurement_has_a_row(module):
    rows = table("Measurements")
    theirs = {feature for _, feature, _ in primary().get_measurement_columns(None)}
    ours = {feature for _, feature, _ in module.get_measurement_columns(None)}
    assert set(rows) == theirs
    assert {feature for feature, right in rows.items() if right.startswith("the same")} == theirs & ours
    text = PAGE.read_text(encoding="utf-8")
    for feature in ours - theirs:
        assert f"`{feature}`" in text


@pytest.mark.parametrize("chosen", ["theirs", "ours"])
def test_each_object_set_and_image_has_a_row(chosen, module, run, field):
    rows = table("Objects and images")
    done = run(primary() if chosen == "theirs" else module, field[0])
    for attribute in set(rows) - {"no image is added to the image set"}:
        assert getattr(done.objects, attribute) is not None
        assert rows[attribute].startswith("the same")
    assert {"segmented", "unedited_segmented", "small_removed_segmented", "parent_image"} < set(rows)
    assert list(done.image_set.names) == ["DNA"]
    assert list(done.workspace.object_set.get_object_names()) == ["Nuclei"]


class RecordingFigure:
    """Takes what a module draws, and keeps the titles and the names of rows and outlines."""

    def __init__(self):
        self.parts = []

    def set_subplots(self, shape):
        pass

    def subplot(self, x, y, sharexy=None):
        pass

    def subplot_imshow_grayscale(self, x, y, image, title, cplabels=(), **look):
        self.parts += [re.sub(r"#\d+", "#", title), *[entry["name"] for entry in cplabels]]

    def subplot_imshow_labels(self, x, y, labels, title, **look):
        self.parts.append(title)

    def subplot_table(self, x, y, cells, row_labels):
        self.parts += row_labels


def parts_of_figure(module, run, pixels):
    module.show_window = True
    figure = RecordingFigure()
    module.display(run(module, pixels).workspace, figure)
    return set(figure.parts)


def test_each_part_of_the_figure_has_a_row(module, run, field):
    theirs = primary()
    theirs.use_advanced.value = theirs.want_plot_maxima.value = True
    rows = table("The figure")
    theirs_shown, ours_shown = parts_of_figure(theirs, run, field[0]), parts_of_figure(module, run, field[0])
    assert set(rows) == theirs_shown
    assert {part for part, right in rows.items() if right.startswith("the same")} == theirs_shown & ours_shown
    assert "Probability of an object" in ours_shown

"""The module's figure."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.plugin.figure import ROOM, enlarge_when_new


def objects_in(labels):
    return len(np.unique(labels)) - 1


def test_the_figure_is_drawn_from_display_data_alone(module, run, field):
    module.show_window = True
    module.exclude_border_objects.value = module.exclude_size.value = True
    module.size_range.value = (19, 30)
    done = run(module, field[0])
    drawn = []

    class Figure:
        def set_subplots(self, shape):
            drawn.append(shape)

        def subplot_imshow_grayscale(self, x, y, image, title, cplabels=None, sharexy=None, **look):
            drawn.append((x, y, title))
            for entry in cplabels or []:
                drawn.append((entry["name"], objects_in(entry["labels"][0])))

        def subplot_imshow_labels(self, x, y, labels, title, sharexy=None):
            drawn.append((x, y, title))

        def subplot_table(self, x, y, cells, row_labels):
            drawn.append((x, y, dict(zip(row_labels, (cell[0] for cell in cells)))))

    module.display(done.workspace, Figure())
    assert drawn[0] == (3, 2)
    assert {entry[:2] for entry in drawn[1:] if isinstance(entry[0], int)} == {(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)}
    fates = dict(entry for entry in drawn[1:] if isinstance(entry[0], str))
    everything = objects_in(done.objects.unedited_segmented)
    assert fates["Nuclei"] == done.objects.count > 0
    assert fates["Objects filtered out by size"] > 0
    assert fates["Objects touching border"] > 0
    assert sum(fates.values()) == everything
    assert (2, 0, "Probability of an object") in drawn
    table = drawn[-1][2]
    assert table["# of accepted objects"] == str(done.objects.count)
    assert table["Model"] == "tiny"
    assert len(table) <= 10
    assert table["Runs on"] == "CPU"


def window_of(size, position):
    window = SimpleNamespace(size=size, GetPosition=lambda: np.array(position))
    window.GetSize = lambda: window.size
    window.SetSize = lambda *to: setattr(window, "size", to)
    return window


@pytest.mark.parametrize(
    ("size", "position", "screen", "grown"),
    [
        ((640, 520), (20, 20), (1920, 1080), ROOM),
        ((640, 520), (20, 20), (1024, 600), (1004, 580)),
        ((640, 520), (500, 300), (1024, 600), (640, 520)),
        ((1600, 600), (0, 0), (1920, 1080), (1600, ROOM[1])),
    ],
)
def test_a_new_figure_opens_large_and_keeps_the_size_that_it_gets(monkeypatch, size, position, screen, grown):
    monkeypatch.setitem(sys.modules, "wx", SimpleNamespace(GetDisplaySize=lambda: np.array(screen)))
    window = window_of(size, position)
    enlarge_when_new(window)
    assert window.size == grown
    window.SetSize(400, 300)
    enlarge_when_new(window)
    assert window.size == (400, 300)


@pytest.mark.parametrize(("channels", "shown_by"), [(0, "grayscale"), (3, "color")])
def test_the_figure_shows_an_image_as_it_is(module, run, field, color_model, channels, shown_by):
    module.show_window = True
    image = np.repeat(field[0][..., np.newaxis], channels, axis=2) if channels else field[0]
    done = run(module, image)
    shown = []

    class Figure:
        def __getattr__(self, name):
            return lambda *given, **_: shown.append((name, given))

    module.display(done.workspace, Figure())
    pictures = [given[2] for name, given in shown if name == f"subplot_imshow_{shown_by}"]
    assert [picture.shape for picture in pictures][:2] == [image.shape] * 2

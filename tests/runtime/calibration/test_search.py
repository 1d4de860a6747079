from cpunet.calibration.search import search
from cpunet.calibration.settings import candidates, settings_of, value_of, with_value
from cpunet.model.card import card_from_content
from tests.tiny_onnx import CARD

TINY = card_from_content(CARD)
OWN, TRIED = settings_of(TINY), candidates(TINY)


def by_distance(**wanted):
    """A score that falls with the distance of each value from the one that is wanted."""
    return lambda settings: 1 - sum(abs(value_of(settings, name) - value) for name, value in wanted.items()) / 10


def test_each_setting_comes_to_its_best_value():
    found = search(by_distance(outline_shift_px=-2.5, foreground_threshold=0.3), OWN, TRIED, 1000)
    assert (value_of(found, "outline_shift_px"), value_of(found, "foreground_threshold")) == (-2.5, 0.3)
    assert value_of(found, "min_size_px") == value_of(OWN, "min_size_px")


def test_a_threshold_is_tried_with_the_shifts_beside():
    def ridge(settings):
        threshold, shift = (value_of(settings, name) for name in ("foreground_threshold", "outline_shift_px"))
        place = shift + 5 * (threshold - 0.5)  # where outlines lie
        return 0.9 - abs(place + 2) / 3 + (threshold - 0.5) / 10

    found = search(ridge, OWN, TRIED, 1000)
    assert (value_of(found, "foreground_threshold"), value_of(found, "outline_shift_px")) == (0.8, -3.5)


def test_a_setting_is_changed_only_for_a_gain():
    def slightly(settings):
        return 0.5 + 0.009 * (value_of(settings, "foreground_threshold") == 0.4)

    assert search(slightly, OWN, TRIED, 100) == OWN  # which asks for 0.01
    assert value_of(search(slightly, OWN, TRIED, 1000), "foreground_threshold") == 0.4


def test_a_setting_returns_to_the_models_own_value_where_another_makes_it_needless():
    own = with_value(OWN, "min_size_px", 13)

    def score(settings):
        if value_of(settings, "min_size_px") == 0:
            return 0.6
        return 0.8 if value_of(settings, "foreground_threshold") == 0.2 else 0.5

    found = search(
        lambda settings: score(settings) + 0.1 * (value_of(settings, "foreground_threshold") == 0.2),
        own,
        {"min_size_px": (0,), "foreground_threshold": (0.2,)},
        1000,
    )
    assert (value_of(found, "min_size_px"), value_of(found, "foreground_threshold")) == (13, 0.2)

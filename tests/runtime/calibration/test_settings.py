from cpunet.calibration.settings import (
    alternatives,
    candidates,
    card_with,
    settings_of,
    shifts_beside,
    value_of,
    with_value,
)
from cpunet.model.card import card_from_content
from tests.tiny_onnx import CARD, changed_card

TINY = card_from_content(CARD)
OWN = settings_of(TINY)


def test_settings_leave_and_enter_a_card_unchanged():
    assert card_with(TINY, OWN) == TINY


def test_each_setting_can_be_changed_alone():
    for name, values in candidates(TINY).items():
        for value in values:
            changed = with_value(OWN, name, value)
            assert value_of(changed, name) == value
            others = [other for other in candidates(TINY) if other != name]
            assert [value_of(changed, other) for other in others] == [value_of(OWN, other) for other in others]
            card_with(TINY, changed)  # a card refuses values that cannot be


def test_alternatives_leave_out_the_present_value():
    assert [value_of(each, "min_size_px") for each in alternatives(OWN, "min_size_px", (0, 12, 30))] == [0, 30]


def test_settings_that_move_outlines_are_tried_with_the_shifts_beside():
    own = with_value(OWN, "outline_shift_px", -2.0)
    tried = [
        (value_of(each, "foreground_threshold"), value_of(each, "outline_shift_px"))
        for each in alternatives(own, "foreground_threshold", (0.4, 0.5))
    ]
    assert tried == [(0.4, shift) for shift in (-2, -3, -2.5, -1.5, -1)]
    assert shifts_beside(with_value(OWN, "outline_shift_px", 5.0)) == [5, 3.5, 4]
    assert shifts_beside(with_value(OWN, "outline_shift_px", 0.7)) == [0.7, -1, 0, 1, 1.5]


def test_a_model_of_boundaries_alone_has_no_foreground_threshold_to_try():
    tried = candidates(card_from_content(changed_card(output={"roles": ["boundary"]})))
    assert "boundary_threshold" in tried
    assert not {"foreground_threshold", "marker_threshold"} & set(tried)


def test_always_rescaled_images_come_near_the_trained_diameter():
    ((low, high),) = candidates(TINY)["diameter_range_px"]
    assert 0.85 * 20 < low < 20 < high < 1.15 * 20


def test_only_a_plain_mask_is_tried_with_high_marker_thresholds():
    alone, beside = (
        candidates(card_from_content(changed_card(output={"roles": roles})))["marker_threshold"]
        for roles in (["foreground"], ["foreground", "border"])
    )
    assert max(alone) == 0.99 > max(beside)
    assert set(beside) < set(alone)

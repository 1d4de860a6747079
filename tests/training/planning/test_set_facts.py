import pytest

from cpunet.errors import DataError
from cpunet.training.planning.set_facts import look_at_set
from tests.synthetic_data_set import write_data_set


@pytest.fixture
def folder(data_root):
    return data_root / "drawn"


def test_the_images_are_looked_at(folder):
    facts = look_at_set(folder)
    assert (facts.images, facts.validation_images, facts.channels) == (6, 3, 1)
    assert facts.smallest_side_px == 96
    assert 12 < facts.diameter_low_px < facts.diameter_px < facts.diameter_high_px < 24
    assert facts.dark_background
    assert 0.1 < facts.foreground < 0.5
    assert 0.2 < facts.touching < 0.8  # every second field is drawn with touching nuclei


def test_a_set_without_validation_images_is_refused(tmp_path):
    write_data_set(tmp_path / "drawn", ["train"] * 9)
    with pytest.raises(DataError, match=r"split 'val'.*data split"):
        look_at_set(tmp_path / "drawn")


def test_of_two_images_none_must_be_left_out(tmp_path):
    write_data_set(tmp_path / "drawn", ["train"] * 2)
    facts = look_at_set(tmp_path / "drawn")
    assert (facts.images, facts.validation_images) == (2, 0)

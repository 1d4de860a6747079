import numpy as np
import pytest

from benchmarks.linked_planes.__main__ import METHODS, main
from benchmarks.linked_planes.stacked_nuclei import FAULTS, regions_in_planes, stacked_nuclei
from cpunet.volume_scores import score_volume


@pytest.fixture(scope="module")
def drawn():
    return stacked_nuclei(seed=0)


def test_nuclei_touch_those_above_and_below_them(drawn):
    upper, lower = drawn.labels[:-1], drawn.labels[1:]
    pairs = {tuple(pair) for pair in np.stack([upper, lower])[:, (upper != lower) & (upper > 0) & (lower > 0)].T}
    assert len({frozenset(pair) for pair in pairs}) >= 32  # two in each of 16 columns
    assert len(np.unique(drawn.labels)) == 49


@pytest.mark.parametrize("faults", FAULTS)
def test_regions_have_the_faults_asked_for(drawn, faults):
    planes = regions_in_planes(drawn.labels, faults, seed=1)
    missed, false = (planes == 0) & (drawn.labels > 0), (planes > 0) & (drawn.labels == 0)
    assert missed.any() == (faults in ("regions missed", "all three"))
    assert false.any() == (faults in ("false regions", "all three"))
    assert np.array_equal(planes, drawn.labels) == (faults == "exact")


@pytest.mark.parametrize(("faults", "gain"), list(zip(FAULTS, (0.3, 0.2, 0.3, 0.3, 0.2))))
def test_linking_with_the_image_is_better_than_neighbors_alone(drawn, faults, gain):
    planes = regions_in_planes(drawn.labels, faults, seed=2)
    before, now = (score_volume(drawn.labels, link(planes, drawn.image)) for link in METHODS.values())
    assert now.seg > before.seg + gain
    assert now.mucov > before.mucov + 0.1


def test_the_table_has_two_rows_for_each_fault(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.linked_planes.__main__.STACKS", 1)
    assert main([]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == list(METHODS) * len(FAULTS)

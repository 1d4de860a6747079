import pytest
import torch

from cpunet.training.config import Loss
from cpunet.training.losses import SegmentationLoss


def targets():
    made = torch.zeros(2, 3, 16, 16)
    made[:, 0, 4:12, 2:14] = 1
    made[:, 1, 4:12, 7:9] = 1
    made[:, 2, 6:10, 3:6] = 0.5
    return made


def logits_of(values, certainty=12.0):
    return torch.logit(values.clamp(1e-9, 1 - 1e-9)).clamp(-certainty, certainty)


def test_the_right_answer_has_the_smallest_loss():
    loss = SegmentationLoss(Loss())
    right = loss(logits_of(targets()), targets())
    assert right < loss(torch.zeros(2, 3, 16, 16), targets()) < loss(-logits_of(targets()), targets())


def test_an_undecided_network_has_the_expected_loss():
    weights = Loss(border_weight=0, dice_weight=0, distance_weight=1)
    value = SegmentationLoss(weights)(torch.zeros(2, 3, 16, 16), targets())
    assert value.item() == pytest.approx(3 * 0.6931, abs=1e-3)


def test_a_missed_gap_costs_more_with_border_weight():
    missed = logits_of(targets())
    missed[:, 1] = -6
    light, heavy = (SegmentationLoss(Loss(border_weight=weight, dice_weight=0))(missed, targets()) for weight in (0, 4))
    assert heavy > 3 * light


@pytest.mark.parametrize("name", ["distance_weight", "dice_weight"])
def test_each_weight_counts(name):
    wrong = torch.zeros(2, 3, 16, 16)
    low, high = (SegmentationLoss(Loss(**{name: value}))(wrong, targets()) for value in (0.0, 2.0))
    assert high > low + 0.3


def test_a_batch_without_any_object_gives_a_finite_loss():
    assert torch.isfinite(SegmentationLoss(Loss())(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)))

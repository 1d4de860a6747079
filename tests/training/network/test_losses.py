import numpy as np
import pytest
import torch

from cpunet.training.network.losses import TERMS, Loss, SegmentationLoss
from cpunet.training.patches.targets import Targets

NOTHING = dict.fromkeys(TERMS, 0.0)
SIGMOID, SOFTMAX, RIDGE = Targets(), Targets("three_class"), Targets("boundary_gaussian")


def only(term, **settings):
    return Loss(**{**NOTHING, term: 1.0, **settings})


def case(targets, seed=0):
    """Random logits, targets that fit, and uneven pixel weights."""
    generator = torch.Generator().manual_seed(seed)
    channels = len(targets.roles)
    logits = torch.randn(2, channels, 6, 5, generator=generator)
    if targets.activation == "softmax":
        truth = torch.nn.functional.one_hot(torch.randint(channels, (2, 6, 5), generator=generator), channels)
        truth = truth.permute(0, 3, 1, 2).float()
    else:
        truth = torch.rand(2, channels, 6, 5, generator=generator)
        sharp = [channel for channel, graded in enumerate(targets.graded) if not graded]
        truth[:, sharp] = truth[:, sharp].round()
    return logits, truth, 1 + torch.rand(2, 1, 6, 5, generator=generator)


def value(loss, targets):
    return SegmentationLoss(loss, targets)(*case(targets)).item()


def brute_force(term, loss, targets):
    """The terms' formulas, element by element, in numpy."""
    logits, truth, weights = (array.double().numpy() for array in case(targets))
    if targets.activation == "softmax":
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        entropy = -truth * np.log(p)
    else:
        p = 1 / (1 + np.exp(-logits))
        entropy = -truth * np.log(p) - (1 - truth) * np.log(1 - p)
    channel_weights = np.array(loss.class_weights or [1.0] * truth.shape[1])
    sharp = [channel for channel, graded in enumerate(targets.graded) if not graded]
    pixels = truth[:, 0].size
    if term == "cross_entropy":
        return sum(channel_weights[c] * (entropy[:, c] * weights[:, 0]).sum() / pixels for c in range(len(p[0])))
    if term == "mean_squared_error":
        return sum(channel_weights[c] * ((p - truth)[:, c] ** 2).mean() for c in range(len(p[0])))
    if term == "focal":
        right = truth * p + (1 - truth) * (1 - p)
        alpha = loss.focal_alpha
        balance = alpha if targets.activation == "softmax" else truth * alpha + (1 - truth) * (1 - alpha)
        each = balance * (1 - right) ** loss.focal_gamma * entropy
        return sum(channel_weights[c] * each[:, c].mean() for c in sharp)
    channels = sharp[1:] if targets.activation == "softmax" else sharp
    dice = [
        1 - (2 * (p[:, c] * truth[:, c]).sum() + 1e-5) / (p[:, c].sum() + truth[:, c].sum() + 1e-5) for c in channels
    ]
    return float(np.mean(dice))


@pytest.mark.parametrize("targets", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("term", TERMS)
def test_each_term_equals_its_formula(term, targets):
    loss = only(term, class_weights=(0.5, 2.0, 1.5), focal_gamma=1.5, focal_alpha=0.3)
    assert value(loss, targets) == pytest.approx(brute_force(term, loss, targets), rel=1e-4)


@pytest.mark.parametrize("term", ["cross_entropy", "mean_squared_error"])
def test_terms_for_a_gaussian_boundary(term):
    assert value(only(term), RIDGE) == pytest.approx(brute_force(term, only(term), RIDGE), rel=1e-4)


@pytest.mark.parametrize("targets", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
def test_a_sum_is_the_weighted_sum_of_its_terms(targets):
    weights = {"cross_entropy": 0.5, "dice": 2.0, "focal": 3.0, "mean_squared_error": 0.25}
    expected = sum(weight * value(only(term), targets) for term, weight in weights.items())
    assert value(Loss(**weights), targets) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_without_focus_is_half_the_cross_entropy():
    targets = Targets("foreground_border")
    logits, truth, _ = case(targets)
    ones = torch.ones(2, 1, 6, 5)
    focal = SegmentationLoss(only("focal", focal_gamma=0.0, focal_alpha=0.5), targets)(logits, truth, ones)
    entropy = SegmentationLoss(only("cross_entropy"), targets)(logits, truth, ones)
    assert focal.item() == pytest.approx(0.5 * entropy.item(), rel=1e-5)


def test_gamma_lets_easy_pixels_count_less():
    targets = Targets("foreground_border")
    truth = torch.ones(1, 2, 4, 4)
    easy, hard = torch.full_like(truth, 3.0), torch.full_like(truth, -3.0)

    def ratio(gamma):
        loss = SegmentationLoss(only("focal", focal_gamma=gamma), targets)
        return (loss(easy, truth, truth[:, :1]) / loss(hard, truth, truth[:, :1])).item()

    assert ratio(2.0) < ratio(1.0) / 5 < ratio(0.0) / 25


def test_a_missed_gap_costs_more_where_its_pixels_weigh_more():
    logits, truth, _ = case(SIGMOID)
    loss = SegmentationLoss(only("cross_entropy"), SIGMOID)
    even = torch.ones(2, 1, 6, 5)
    assert loss(logits, truth, 3 * even).item() == pytest.approx(3 * loss(logits, truth, even).item(), rel=1e-5)


@pytest.mark.parametrize("term", TERMS)
def test_mixed_precision_does_not_round_the_loss(term):
    exact = value(only(term), SIGMOID)
    with torch.autocast("cpu", torch.bfloat16):
        assert value(only(term), SIGMOID) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_pixel_that_is_surely_right_leaves_a_finite_slope(gamma):
    targets = Targets("foreground_border")
    logits = torch.full((1, 2, 2, 2), 40.0, requires_grad=True)
    ones = torch.ones(1, 2, 2, 2)
    SegmentationLoss(only("focal", focal_gamma=gamma), targets)(logits, ones, ones[:, :1]).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("targets", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("term", TERMS)
def test_perfect_predictions_cost_less_than_undecided_and_wrong_ones(term, targets):
    _, truth, weights = case(targets)
    right = 12 * (truth - 0.5)
    loss = SegmentationLoss(only(term), targets)
    costs = [loss(logits, truth, weights).item() for logits in (right, 0 * right, -right)]
    assert costs[0] < costs[1] < costs[2]


@pytest.mark.parametrize("term", TERMS)
def test_a_batch_without_any_object_gives_a_finite_loss(term):
    zeros = torch.zeros(1, 3, 8, 8, requires_grad=True)
    cost = SegmentationLoss(only(term), SIGMOID)(zeros, torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    cost.backward()
    assert torch.isfinite(cost)
    assert torch.isfinite(zeros.grad).all()


@pytest.mark.parametrize(
    ("settings", "targets", "message"),
    [
        (NOTHING, SIGMOID, "nothing would be learned"),
        ({"dice": -1.0}, SIGMOID, "dice: must be 0 or more"),
        ({"focal_alpha": 1.0}, SIGMOID, "focal_alpha"),
        ({"weight_map": "gap"}, SIGMOID, "weight_map: must be one of"),
        ({"unet_sigma_px": 0.0}, SIGMOID, "unet_sigma_px"),
        ({"class_weights": (1.0, -1.0, 1.0)}, SIGMOID, "class_weights"),
        ({"class_weights": (1.0,)}, SIGMOID, "class_weights has 1 numbers"),
        ({**NOTHING, "dice": 1.0}, RIDGE, "values between"),
        ({**NOTHING, "focal": 1.0}, SIGMOID, "values between"),
    ],
)
def test_what_cannot_be_is_refused(settings, targets, message):
    with pytest.raises(ValueError, match=message):
        Loss(**settings).check(targets)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("targets", [SIGMOID, SOFTMAX])
def test_pixels_without_weight_count_in_no_term(term, targets):
    logits, truth, weights = case(targets)
    weights[..., 3:] = 0
    loss = SegmentationLoss(only(term), targets)
    other = logits.clone()
    other[..., 3:] = 40 * torch.randn(other[..., 3:].shape, generator=torch.Generator().manual_seed(5))
    wrong = truth.clone()
    wrong[..., 3:] = truth[..., 3:].flip(1)
    assert loss(other, wrong, weights).item() == pytest.approx(loss(logits, truth, weights).item(), abs=1e-6)
    assert loss(other, truth, torch.ones_like(weights)).item() != pytest.approx(loss(logits, truth, weights).item())


@pytest.mark.parametrize("targets", [SIGMOID, SOFTMAX])
def test_dice_of_a_part_is_that_of_the_part_alone(targets):
    logits, truth, weights = case(targets)
    part = SegmentationLoss(only("dice"), targets)
    alone = part(logits[..., :3], truth[..., :3], weights[..., :3]).item()
    weights[..., 3:] = 0
    assert part(logits, truth, weights).item() == pytest.approx(alone, abs=1e-6)


def posterior(q, gamma):
    """The probability in the data at which the focal loss is lowest for the prediction q, by the paper's formula."""

    def h(v):
        return v / ((1 - v) ** gamma - gamma * (1 - v) ** (gamma - 1) * v * np.log(v))

    return h(q) / (h(q) + h(1 - q))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.0])
def test_sharpened_logits_give_the_probabilities_in_the_data(gamma):
    loss = only("focal", focal_gamma=gamma)
    q = np.linspace(0.02, 0.98, 200)
    sharpened = 1 / (1 + np.exp(-loss.sharpening * np.log(q / (1 - q))))
    np.testing.assert_allclose(sharpened, posterior(q, gamma), atol=0.01)


def test_a_network_that_learned_by_the_focal_loss_is_less_sure_than_the_data():
    share, logit = 0.9, torch.zeros(1, 1, 1, 1, requires_grad=True)
    loss = only("focal")
    focal = SegmentationLoss(loss, Targets("foreground"))
    optimizer = torch.optim.Adam([logit], lr=0.05)
    foreground, background, weights = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    for _ in range(400):
        optimizer.zero_grad()
        (share * focal(logit, foreground, weights) + (1 - share) * focal(logit, background, weights)).backward()
        optimizer.step()
    assert torch.sigmoid(logit).item() == pytest.approx(0.69, abs=0.01)
    assert torch.sigmoid(loss.sharpening * logit).item() == pytest.approx(share, abs=0.01)


def test_other_losses_and_sums_are_not_sharpened():
    assert Loss().sharpening == 1
    assert Loss(focal=1).sharpening == 1
    assert only("focal", focal_gamma=0).sharpening == 1
    assert only("focal").sharpening == pytest.approx(2.676, abs=0.001)

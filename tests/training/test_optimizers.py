from dataclasses import replace

import pytest
import torch

from cpunet.training.config import OPTIMIZERS, SCHEDULES
from cpunet.training.optimizers import build_optimizer, build_schedule

KINDS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def weight():
    return torch.nn.Parameter(torch.ones(3))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_name_gives_its_optimizer_with_rate_and_decay(small_config, name):
    config = replace(small_config, optimizer=name, learning_rate=0.02, weight_decay=0.3, momentum=0.7)
    optimizer = build_optimizer([weight()], config)
    assert type(optimizer) is KINDS[name]
    assert optimizer.defaults["lr"] == 0.02
    assert optimizer.defaults["weight_decay"] == 0.3
    if name in ("rmsprop", "sgd"):
        assert optimizer.defaults["momentum"] == 0.7


def rates(config, scores=()):
    """The learning rate after each step, or, for a plateau, after each validation."""
    optimizer = build_optimizer([weight()], config)
    schedule = build_schedule(optimizer, config)
    found = [optimizer.param_groups[0]["lr"]]
    for step in range(len(scores) or config.steps - 1):
        optimizer.step()
        if schedule:
            schedule["scheduler"].step(*scores[step : step + 1])
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_cycle_rises_for_a_tenth_and_falls_to_nearly_nothing(small_config, optimizer, momentum):
    config = replace(
        small_config, schedule="one_cycle", steps=100, learning_rate=0.1, optimizer=optimizer, momentum=momentum
    )
    found = rates(config)
    assert found.index(max(found)) == 9
    assert max(found) == pytest.approx(0.1)
    assert found[0] == pytest.approx(0.004)
    assert found[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 2, 10, 11])
def test_one_cycle_takes_any_number_of_steps(small_config, steps):
    assert len(rates(replace(small_config, schedule="one_cycle", steps=steps))) == steps


@pytest.mark.parametrize("name", ["rmsprop", "sgd"])
def test_one_cycle_leaves_the_momentum_that_was_asked_for(small_config, name):
    config = replace(small_config, schedule="one_cycle", optimizer=name, momentum=0.7)
    optimizer = build_optimizer([weight()], config)
    schedule = build_schedule(optimizer, config)["scheduler"]
    for _ in range(5):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["momentum"] == 0.7


def test_cosine_falls_from_the_start(small_config):
    found = rates(replace(small_config, schedule="cosine", steps=100, learning_rate=0.1))
    assert found[0] == 0.1
    assert found[50] == pytest.approx(0.05)
    assert all(after < before for before, after in zip(found, found[1:], strict=False))


def test_constant_stays(small_config):
    assert set(rates(replace(small_config, schedule="constant", learning_rate=0.1))) == {0.1}


def test_a_plateau_halves_the_rate_once_its_patience_is_over(small_config):
    config = replace(small_config, schedule="plateau", plateau_patience=2, learning_rate=0.1)
    assert rates(config, [0.5, 0.6, 0.6, 0.6, 0.6, 0.7]) == [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]


def test_a_plateau_of_the_loss_waits_for_lower_numbers(small_config):
    config = replace(
        small_config, schedule="plateau", plateau_patience=1, learning_rate=0.1, validation_loss=True, judged_by="loss"
    )
    assert rates(config, [0.5, 0.4, 0.3, 0.3, 0.3, 0.3]) == [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]
    assert build_schedule(build_optimizer([weight()], config), config)["monitor"] == "val_loss"


def test_no_schedule_was_forgotten():
    assert set(SCHEDULES) == {"one_cycle", "cosine", "plateau", "constant"}

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
import yaml
from skimage.io import imsave

import cpunet.training.train
from cpunet.__main__ import main
from cpunet.errors import ConfigError
from cpunet.model.card import Postprocessing
from cpunet.scores import pool_scores
from cpunet.training.config import config_from_dict, config_to_dict
from cpunet.training.curves import read_metrics
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import score_images, torch_model
from cpunet.training.patches.sources import read_sources
from cpunet.training.patches.targets import Targets
from cpunet.training.task import SegmentationTask
from cpunet.training.train import train
from cpunet.training.weights import load_trained
from tests.synthetic_data_set import SMALL, write_data_set


def weights_of(path):
    return load_trained(path).network.state_dict()


def test_training_learns_to_find_drawn_nuclei(data_root, tmp_path, small_config):
    weights = train(replace(small_config, steps=300, validate_every=300), data_root, tmp_path)
    trained = load_trained(weights)
    rows = rows_of_split(small_config.data, data_root, "val")[0]
    scores = pool_scores(score_images(torch_model(trained), rows))
    assert scores.f1[0.5] > 0.75
    assert trained.facts["data"][0]["images"] == 6
    assert 12 < trained.facts["diameter_px"] < 22
    metrics = (tmp_path / "logs" / "version_0" / "metrics.csv").read_text()
    assert "val_mean_f1" in metrics


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(data_root, tmp_path, small_yaml, small_config):
    undisturbed = train(small_config, data_root, tmp_path / "whole")
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "cpunet", "train", str(small_yaml), "--data", str(data_root), "--run", str(killed)]
    # As many threads as here: another order of additions moves the last digits, and training multiplies that.
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=one_thread)
    deadline = time.monotonic() + 120
    # The log of a validation is written just after its checkpoint.
    while "val_mean_f1" not in read_metrics(killed) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (killed / "last.ckpt").exists()
    assert main(command[3:]) == 0
    for name, expected in weights_of(undisturbed).items():
        torch.testing.assert_close(weights_of(killed / "weights.safetensors")[name], expected, rtol=1e-3, atol=1e-4)
    rows = rows_of_split(small_config.data, data_root, "val")[0]
    ends = [load_trained(path) for path in (undisturbed, killed / "weights.safetensors")]
    first, second = (pool_scores(score_images(torch_model(end), rows)).mean_f1 for end in ends)
    assert abs(first - second) < 0.005
    # no validation twice, none left out
    assert [step for step, _ in read_metrics(killed)["val_mean_f1"]] == [19, 39]


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_a_run_stopped_at_a_random_step_goes_on_with_its_schedule_and_patience(
    data_root, tmp_path, small_config, monkeypatch, schedule
):
    config = replace(
        small_config,
        schedule=schedule,
        plateau_patience=1,
        early_stopping_patience=3,
        validate_every=4,
        steps=20,
        learning_rate=1e-3,
        architecture=replace(small_config.architecture, dropout=0.2),
    )
    whole = train(config, data_root, tmp_path / "whole")
    stop_at = int(np.random.default_rng().integers(5, 19))

    class KilledError(Exception):
        """Stands for whatever ends a process."""

    def step(task, batch, index):
        if task.trainer.global_step == stop_at:
            raise KilledError
        return training_step(task, batch, index)

    training_step = SegmentationTask.training_step
    monkeypatch.setattr(SegmentationTask, "training_step", step)
    with contextlib.suppress(KilledError):  # early stopping may have come first
        train(config, data_root, tmp_path / "parts")
    monkeypatch.setattr(SegmentationTask, "training_step", training_step)
    parts = train(config, data_root, tmp_path / "parts")
    for name, expected in weights_of(whole).items():
        torch.testing.assert_close(weights_of(parts)[name], expected, rtol=1e-3, atol=1e-4, msg=f"stopped at {stop_at}")
    logged, expected_log = (read_metrics(tmp_path / name)["val_mean_f1"] for name in ("parts", "whole"))
    assert logged == pytest.approx(np.array(expected_log), abs=1e-3)


def test_training_stops_early_and_returns_to_the_best_weights(data_root, tmp_path, small_config, monkeypatch):
    scores = iter([0.2, 0.8, 0.5, 0.6, 0.7])
    kept = []

    def scored(model, rows, diameter_px=None):
        kept.append({name: value.clone() for name, value in model.network.network.state_dict().items()})
        return [next(scores)]

    monkeypatch.setattr("cpunet.training.callbacks.score_images", scored)
    monkeypatch.setattr(
        "cpunet.training.callbacks.pool_scores",
        lambda found: SimpleNamespace(mean_f1=found[0], mean_average_precision=0.0),
    )
    config = replace(small_config, steps=40, validate_every=4, early_stopping_patience=2)
    best = weights_of(train(config, data_root, tmp_path))
    assert len(kept) == 4  # two validations without a better score after the second
    assert all(torch.equal(best[name], value) for name, value in kept[1].items())
    assert not torch.equal(best["head.weight"], kept[3]["head.weight"])
    # the last checkpoint is that of the last validation, though it was not the best
    last = load_trained(tmp_path / "last.ckpt").network.state_dict()
    assert all(torch.equal(last[name], value) for name, value in kept[3].items())
    # killed before the weights were written, the run does not go on beyond its stop
    (tmp_path / "weights.safetensors").unlink()
    again = weights_of(train(config, data_root, tmp_path))
    assert len(kept) == 4
    assert all(torch.equal(again[name], value) for name, value in best.items())


def test_a_run_judged_by_the_loss_returns_to_the_weights_of_the_lowest(data_root, tmp_path, small_config, monkeypatch):
    losses = iter([0.9, 0.2, 0.5, 0.4, 0.1])
    kept = []

    def loss(network, loss, batches):
        kept.append({name: value.clone() for name, value in network.state_dict().items()})
        return next(losses)

    monkeypatch.setattr("cpunet.training.callbacks.mean_loss", loss)
    config = replace(
        small_config,
        steps=40,
        validate_every=4,
        early_stopping_patience=2,
        validation_loss=True,
        judged_by="loss",
    )
    best = weights_of(train(config, data_root, tmp_path))
    assert len(kept) == 4  # two validations without a lower loss after the second
    assert all(torch.equal(best[name], value) for name, value in kept[1].items())
    assert [value for _, value in read_metrics(tmp_path)["val_loss"]] == pytest.approx([0.9, 0.2, 0.5, 0.4])


def test_the_loss_of_validation_images_falls_and_is_told(data_root, tmp_path, small_config, capfd):
    config = replace(small_config, validation_loss=True, targets=Targets("foreground"))
    train(config, data_root, tmp_path)
    (_, first), (_, last) = read_metrics(tmp_path)["val_loss"]
    assert last < first
    assert f"loss of the validation images {last:.3f}" in capfd.readouterr().err


def test_a_run_that_was_moved_still_knows_its_best_weights(data_root, tmp_path, small_config, monkeypatch):
    config = replace(small_config, steps=12, validate_every=4, early_stopping_patience=9)

    def scored_as(values):
        left = list(values)
        monkeypatch.setattr(
            "cpunet.training.callbacks.score_images", lambda model, rows, diameter_px=None: [left.pop(0)]
        )
        monkeypatch.setattr(
            "cpunet.training.callbacks.pool_scores",
            lambda found: SimpleNamespace(mean_f1=found[0], mean_average_precision=0.0),
        )

    scored_as([0.9, 0.5])  # nothing is left to score with at the third validation
    with pytest.raises(IndexError):
        train(config, data_root, tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    best = load_trained(tmp_path / "after" / "best.ckpt").network.state_dict()
    scored_as([0.6])
    kept = weights_of(train(config, data_root, tmp_path / "after"))
    assert all(torch.equal(kept[name], value) for name, value in best.items())


def test_images_that_changed_are_noticed(tmp_path, small_config):
    write_data_set(tmp_path / "drawn", ["train"] * 3 + ["val"])
    config = replace(small_config, steps=4, validate_every=4)
    finished = train(config, tmp_path, tmp_path / "run")
    path = tmp_path / "drawn" / "labels" / "f0.png"
    path.write_bytes((tmp_path / "drawn" / "labels" / "f1.png").read_bytes())
    with pytest.raises(ConfigError, match=r"weights\.safetensors was trained on other images or labels"):
        train(config, tmp_path, tmp_path / "run")
    finished.unlink()
    with pytest.raises(ConfigError, match=r"last\.ckpt was trained on other images or labels"):
        train(config, tmp_path, tmp_path / "run")


@pytest.mark.parametrize("steps", [1, 10])
def test_a_very_short_run_ends_well(data_root, tmp_path, small_config, steps):
    assert train(replace(small_config, steps=steps), data_root, tmp_path).exists()


def test_a_run_leaves_logs_for_csv_and_tensorboard_and_a_picture(data_root, tmp_path, small_config, capsys):
    train(replace(small_config, steps=8, validate_every=4), data_root, tmp_path)
    assert "val_mean_f1" in (tmp_path / "logs" / "version_0" / "metrics.csv").read_text()
    assert list((tmp_path / "tensorboard").glob("version_0/events.out.tfevents.*"))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "% of the training time was spent waiting for patches" in capsys.readouterr().out


def test_a_run_says_how_far_it_is_and_what_will_be_tuned(data_root, tmp_path, small_yaml, capfd):
    command = ["train", str(small_yaml), "--data", str(data_root / "drawn"), "--run", str(tmp_path / "run")]
    assert main([*command, "--steps", "40"]) == 0
    said = capfd.readouterr()
    steps = [line for line in said.err.splitlines() if line.startswith("training: step")]
    assert steps[0].startswith("training: step 20 of 40, loss ")
    assert "mean F1 of the validation images" in steps[0]
    assert steps[0].endswith("left")
    assert steps[1].startswith("training: step 40 of 40, ")
    assert said.err.splitlines() == steps  # no library has a word
    assert "at the end: `cpunet export --data` tunes marker_threshold, foreground_threshold" in said.out
    assert "the model you start from" not in said.out


def test_a_run_with_given_thresholds_says_that_nothing_is_tuned(small_config):
    given = replace(small_config, decoding=Postprocessing())
    assert "nothing is tuned" in cpunet.training.train.tuned_at_the_end(given)
    assert "boundary_threshold" in cpunet.training.train.tuned_at_the_end(
        replace(small_config, targets=Targets("boundary"))
    )


def test_what_training_has_to_beat_is_scored_first_and_once(data_root, tmp_path, small_config, capsys):
    short = replace(small_config, steps=20, validate_every=20)
    start = train(short, data_root, tmp_path / "start")
    tuned = replace(short, start_from=str(start), steps=4, validate_every=2)
    begun = train(tuned, data_root, tmp_path / "tuned")
    score = load_trained(begun).facts["start_from"]["val_mean_f1"]
    # the last validation of the run that it starts from
    assert score == pytest.approx(read_metrics(tmp_path / "start")["val_mean_f1"][-1][1], abs=1e-3)
    assert read_metrics(tmp_path / "tuned")["start_mean_f1"] == [(0, pytest.approx(score, abs=1e-3))]
    assert f"the model you start from: {score:.3f}" in capsys.readouterr().out
    begun.unlink()
    assert load_trained(train(tuned, data_root, tmp_path / "tuned")).facts["start_from"]["val_mean_f1"] == score
    assert "scoring the model you start from" not in capsys.readouterr().out


def test_a_model_of_other_channels_is_nothing_to_beat(data_root, tmp_path, small_config):
    start = train(replace(small_config, steps=2, validate_every=2), data_root, tmp_path / "start")
    other = replace(small_config, targets=Targets("boundary"), start_from=str(start), steps=2, validate_every=2)
    assert "val_mean_f1" not in load_trained(train(other, data_root, tmp_path / "other")).facts["start_from"]


def test_a_run_killed_after_its_last_step_only_writes_its_weights(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    weights = train(config, data_root, tmp_path)
    before = weights_of(weights)
    weights.unlink()
    again = weights_of(train(config, data_root, tmp_path))
    assert all(torch.equal(before[name], again[name]) for name in before)


def test_the_kept_weights_are_an_average_over_the_steps(data_root, tmp_path, small_config):
    steps = replace(small_config, steps=3, validate_every=3, schedule="constant")
    last = weights_of(train(steps, data_root, tmp_path / "last"))
    average = weights_of(train(replace(steps, average_decay=0.75), data_root, tmp_path / "average"))
    assert any(not torch.equal(last[name], average[name]) for name in last)
    checkpoint = weights_of(tmp_path / "average" / "last.ckpt")
    for name, value in average.items():
        torch.testing.assert_close(checkpoint[name], value)


def test_a_resumed_average_is_that_of_an_undisturbed_run(data_root, tmp_path, small_config):
    config = replace(small_config, steps=8, validate_every=4, average_decay=0.5)
    undisturbed = weights_of(train(config, data_root, tmp_path / "undisturbed"))
    # The state after four of eight steps, as a kill would leave it.
    saved = {}

    class Keep(lightning.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.global_step == 4:
                saved["checkpoint"] = (tmp_path / "kept" / "last.ckpt").read_bytes()

    build = cpunet.training.train.build_trainer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            cpunet.training.train, "build_trainer", lambda c, folder, callbacks: build(c, folder, [*callbacks, Keep()])
        )
        train(config, data_root, tmp_path / "kept")
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "last.ckpt").write_bytes(saved["checkpoint"])
    resumed = weights_of(train(config, data_root, tmp_path / "killed"))
    for name, expected in undisturbed.items():
        torch.testing.assert_close(resumed[name], expected, rtol=1e-4, atol=1e-5)


def test_two_processes_take_the_steps_of_one(data_root, tmp_path, small_yaml, small_config):
    """As on two GPUs: each has half of a batch, and gradients are averaged."""
    # Dice and batch normalization look at a whole batch, which no device then sees; AdamW blows up rounding.
    alike = {
        "optimizer": "sgd",
        "architecture": {**SMALL["architecture"], "batch_normalization": False},
        "loss": {"dice": 0.0},
        "steps": 6,
        "validate_every": 3,
        "learning_rate": 0.001,
    }
    one = train(config_from_dict({**SMALL, **alike}), data_root, tmp_path / "one")
    small_yaml.write_text(yaml.safe_dump({**SMALL, **alike, "devices": 2}))
    command = [sys.executable, "-m", "cpunet", "train", str(small_yaml), "--data", str(data_root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--run", str(tmp_path / "two")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for name, expected in weights_of(one).items():
        found = weights_of(tmp_path / "two" / "weights.safetensors")[name]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_images_are_scaled_to_the_trained_diameter(data_root, tmp_path, small_config):
    config = replace(small_config, diameter_px=9.0, steps=2, validate_every=2)
    _, sources, diameters = read_sources(config, data_root)
    scale = 9 / diameters[0]
    assert sources[0][0].labels.shape == (round(96 * scale),) * 2
    assert len(np.unique(sources[0][0].labels)) > 3
    facts = load_trained(train(config, data_root, tmp_path)).facts
    assert facts["diameter_px"] == pytest.approx(9, rel=0.15)
    assert facts["data"][0]["image_diameter_px"] == pytest.approx(diameters[0], abs=0.1)


def test_a_finished_run_is_not_begun_anew(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    first = weights_of(train(config, data_root, tmp_path))
    again = weights_of(train(config, data_root, tmp_path))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_finished_model_may_be_described_anew(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    train(config, data_root, tmp_path)
    again = load_trained(train(replace(config, description="Other words."), data_root, tmp_path))
    assert again.config.description == "Other words."


def test_a_run_of_another_configuration_is_not_gone_on_with(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    train(config, data_root, tmp_path)
    with pytest.raises(ConfigError, match="another learning_rate"):
        train(replace(config, learning_rate=0.5), data_root, tmp_path)


def test_an_image_that_does_not_fit_is_named(tmp_path, capsys, small_yaml):
    write_data_set(tmp_path / "drawn", ["train", "val"])
    color = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    imsave(str(tmp_path / "drawn" / "images" / "f0.png"), color, check_contrast=False)
    assert main(["train", str(small_yaml), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    assert "f0: The image has the shape (96, 96, 3)" in capsys.readouterr().err


def test_the_command_line_says_what_is_wrong(tmp_path, capsys, small_yaml):
    assert main(["train", str(tmp_path / "absent.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["train", str(small_yaml), "--data", str(tmp_path)]) == 2
    assert "index.csv" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["weights.safetensors", "best.ckpt"])
def test_a_new_run_does_not_replace_weights_that_are_there(data_root, tmp_path, small_config, name):
    (tmp_path / name).write_text("of another run")
    with pytest.raises(ConfigError, match=rf"{name} is there, but no last\.ckpt.*another --run folder"):
        train(small_config, data_root, tmp_path)
    assert (tmp_path / name).read_text() == "of another run"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends other signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_keeps_its_last_checkpoint(data_root, tmp_path, small_config, number, code):
    config = replace(small_config, steps=10_000, validate_every=2, workers=1)
    path, run = tmp_path / "small.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(config_to_dict(config)))
    command = [sys.executable, "-m", "cpunet", "train", str(path), "--data", str(data_root), "--run", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run / "last.ckpt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == code
    assert said.rstrip().splitlines()[-1].endswith("Each file that was written is complete.")
    assert "Traceback" not in said
    assert load_trained(run / "last.ckpt").config.steps == 10_000
    assert not [name for name in run.iterdir() if name.name.startswith(".")]


def test_training_takes_no_more_threads_and_workers_than_cores(small_config, monkeypatch):
    from cpunet.training.patches import stream
    from cpunet.training.planning import machine

    asked = []
    monkeypatch.setattr(machine, "cores_allowed", lambda: 1)
    monkeypatch.setattr(machine.torch, "set_num_threads", asked.append)
    machine.stay_within_cores()
    assert asked == [1]
    assert machine.this_machine().cores == 1
    monkeypatch.setattr(stream, "cores_allowed", lambda: 1)
    data = stream.PatchData(replace(small_config, workers=8), [])
    data.trainer = SimpleNamespace(global_step=0, global_rank=0, world_size=1)
    assert data.train_dataloader().num_workers == 1

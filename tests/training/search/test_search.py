import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
import yaml
from skimage.io import imread

from cpunet.__main__ import main
from cpunet.errors import ConfigError
from cpunet.training.config import read_config
from cpunet.training.curves import read_metrics
from cpunet.training.search import run as run_module
from cpunet.training.search.draw import draw, is_coarse, narrowed
from cpunet.training.search.picture import search_figure
from cpunet.training.search.run import Search, StopsPoorTrial, run_search
from cpunet.training.search.space import SearchedNumber, read_space
from cpunet.training.search.study import JOURNAL_FILE, finished, open_study
from cpunet.training.train import train
from cpunet.training.weights import load_trained
from tests.synthetic_data_set import SMALL

RATE = {"learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"}}
CONTENT = {**SMALL, "search": RATE, "batch_size": 2, "validation_images": 1}


@pytest.fixture
def pretended(monkeypatch):
    """Trainings that take no time: their score is nearness of the rate to 0.01, and grows with the steps."""
    trained = []

    def train(config, root, folder, callbacks):
        (callback,) = callbacks
        trained.append((folder.name, config.learning_rate))
        folder.mkdir(parents=True, exist_ok=True)
        pretence.steps = 0
        pretence.should_stop = False
        while pretence.steps < config.steps and not pretence.should_stop:
            pretence.steps += config.validate_every
            pretence.global_step = pretence.steps
            score = pretence.steps / config.steps / (1 + abs(math.log10(config.learning_rate / 0.01)))
            pretence.callback_metrics = {"val_mean_f1": score}
            callback.on_train_epoch_end(pretence, None)
        (folder / "result.json").write_text(json.dumps([pretence.steps, score]))
        return folder / "result.json"

    class Pretence:
        pass

    pretence = Pretence()
    monkeypatch.setattr(run_module, "train", train)
    monkeypatch.setattr(
        run_module, "read_metrics", lambda folder: {"val_mean_f1": [json.loads((folder / "result.json").read_text())]}
    )

    def load(path):
        pretence.facts = {"steps": json.loads(path.read_text())[0]}
        return pretence

    monkeypatch.setattr(run_module, "load_trained", load)
    return trained


def search_of(folder, trials, content=CONTENT):
    return Search(content, folder, read_space(content), trials, 60, folder)


def test_values_are_drawn_log_uniform():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = read_space({**SMALL, "search": RATE})
    drawn = np.array([draw(study.ask(), space, [])["learning_rate"] for _ in range(200)])
    assert 0.001 <= drawn.min() < 0.0015
    assert 0.07 < drawn.max() <= 0.1
    assert abs((drawn < 0.01).mean() - 0.5) < 0.1  # half of them in the lower half of the powers of ten


def test_ranges_become_narrow_around_the_best():
    number = SearchedNumber("loss.dice", 0.0, 1.0)
    assert narrowed(number, []) == (0, 1)
    assert narrowed(number, [0.5, 0.4]) == pytest.approx((0.3, 0.6))
    assert narrowed(number, [0.05, 0.99]) == (0, 1)
    assert [is_coarse(trial, 5) for trial in range(5)] == [True, True, True, False, False]


def test_the_search_is_coarse_then_fine_and_stops_poor_trials(tmp_path, pretended):
    study = run_search(search_of(tmp_path, 20))
    trials = finished(study)
    assert len(trials) == len(pretended) == 20
    rates = np.log10([rate for _, rate in pretended])
    assert np.ptp(rates[10:]) < np.ptp(rates[:10])
    assert abs(rates[10:] + 2).mean() < abs(rates[:10] + 2).mean()
    pruned = [trial for trial in trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert pruned
    assert all(trial.number >= 4 and trial.last_step < 60 for trial in pruned)
    assert study.best_value == max(trial.value for trial in trials if trial not in pruned)


def test_a_search_goes_on_where_it_was_killed(tmp_path, pretended, monkeypatch):
    whole = [trial.params for trial in finished(run_search(search_of(tmp_path / "whole", 6)))]
    folder = tmp_path / "killed"
    usual = run_module.train

    def killed(config, root, run_folder, callbacks):
        if run_folder.name == "004":
            raise KeyboardInterrupt
        return usual(config, root, run_folder, callbacks)

    monkeypatch.setattr(run_module, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        run_search(search_of(folder, 6))
    with (folder / JOURNAL_FILE).open("a") as stream:
        stream.write('{"op_code":8,"tr')  # a line that was cut short
    del pretended[:]
    monkeypatch.setattr(run_module, "train", usual)
    study = run_search(search_of(folder, 6))
    assert [name for name, _ in pretended] == ["004", "005", "006"]
    assert [trial.params for trial in finished(study)] == whole
    del pretended[:]
    assert len(finished(run_search(search_of(folder, 7)))) == 7
    assert [name for name, _ in pretended] == ["007"]


def test_a_trial_that_was_stopped_early_just_before_a_kill_does_not_count_as_whole(tmp_path, pretended, monkeypatch):
    usual = run_module.train
    monkeypatch.setattr(run_module, "train", lambda config, *words, **named: _half(usual, config, words, named))
    with pytest.raises(ConfigError, match="no trial ran to its end"):
        run_search(search_of(tmp_path, 1))


def _half(train, config, words, named):
    path = train(config, *words, **named)
    path.write_text(json.dumps([config.steps // 2, 0.5]))
    return path


def test_a_training_ends_where_its_trial_is_stopped_early(tmp_path, data_root, small_config):
    reports = []

    class Poor:
        number = 0
        study = SimpleNamespace(get_trials=lambda deepcopy: [SimpleNamespace(intermediate_values={4: 0.5})])
        report = staticmethod(lambda value, step: reports.append(step))
        should_prune = staticmethod(lambda: len(reports) > 0)

    config = replace(small_config, steps=20, validate_every=4, validation_images=1)
    weights = train(config, data_root, tmp_path, callbacks=[StopsPoorTrial(Poor(), "val_mean_f1")])
    assert reports == [8]  # step 4 had been reported before
    assert load_trained(weights).facts["steps"] == 8


def test_a_trial_that_fails_does_not_end_the_search(tmp_path, pretended, monkeypatch):
    usual = run_module.train

    def train(config, root, folder, callbacks):
        if folder.name == "002":
            raise ConfigError("this does not fit.")
        return usual(config, root, folder, callbacks)

    monkeypatch.setattr(run_module, "train", train)
    trials = finished(run_search(search_of(tmp_path, 3)))
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert trials[1].user_attrs["reason"] == "this does not fit."


def test_another_search_in_the_folder_is_refused(tmp_path, pretended):
    run_search(search_of(tmp_path, 1))
    with pytest.raises(ConfigError, match="is of another search, which differs in: configuration"):
        run_search(search_of(tmp_path, 2, {**CONTENT, "weight_decay": 0.5}))
    other = {**CONTENT, "search": {"weight_decay": {"low": 0, "high": 1}}}
    with pytest.raises(ConfigError, match="which differs in: search"):
        run_search(search_of(tmp_path, 2, other))
    with pytest.raises(ConfigError, match="which differs in: images or labels"):
        run_search(replace(search_of(tmp_path, 2), images=["other"]))
    for content in ("mine\nnot a journal\n", "[1, 2]\n", "null\n", '{"op_code": 99, "worker_id": "x"}\n'):
        (tmp_path / JOURNAL_FILE).write_text(content)
        with pytest.raises(ConfigError, match="this journal cannot be read"):
            open_study(tmp_path, {}, "maximize", 0)


def test_the_picture_has_a_logarithmic_axis_where_values_are_drawn_so(tmp_path, pretended):
    content = {
        **CONTENT,
        "search": {**RATE, "loss.dice": {"low": 0, "high": 1}, "optimizer": {"choices": ["adam", "adamw"]}},
    }
    search = search_of(tmp_path, 6, content)
    study = run_search(search)
    figure = search_figure(finished(study), search.space, study.best_trial.number, "val_mean_f1")
    axes = [each for each in figure.axes if each.get_xlabel()]
    assert [(each.get_xlabel(), each.get_xscale()) for each in axes] == [
        ("learning_rate", "log"),
        ("loss.dice", "linear"),
        ("optimizer", "linear"),
    ]
    assert axes[0].get_xlim()[0] < 0.001
    assert axes[0].get_xlim()[1] > 0.1
    drawn = sum(len(line.get_xdata()) for line in axes[0].lines)
    assert drawn == 6
    (star,) = [line for line in axes[0].lines if line.get_marker() == "*"]
    assert star.get_xdata()[0] == study.best_params["learning_rate"]
    assert [label.get_text() for label in axes[2].get_xticklabels()] == ["adam", "adamw"]


def test_the_command_trains_and_writes_a_configuration_that_trains(tmp_path, data_root, capsys):
    path, out = tmp_path / "small.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump({**CONTENT, "steps": 500}))
    words = ["search", str(path), "--data", str(data_root), "--trials", "2", "--steps", "12", "-o", str(out)]
    assert main(words) == 0
    listed = json.loads((out / "search.json").read_text())["trials"]
    assert [trial["trial"] for trial in listed] == [1, 2]
    for trial in listed:
        run = out / "trials" / f"{trial['trial']:03d}"
        assert read_metrics(run)["val_mean_f1"][-1][1] == pytest.approx(trial["score"])
        assert len(read_metrics(run)["val_mean_f1"]) == 6
    best = max(listed, key=lambda trial: trial["score"])
    config = read_config(out / "best.yaml")
    assert config.learning_rate == best["values"]["learning_rate"]
    assert (config.steps, config.name, config.batch_size) == (500, "small", 2)
    assert f"best: trial {best['trial']}, val_mean_f1" in capsys.readouterr().out
    assert imread(str(out / "search.png")).shape[2] == 3
    assert "| best |" in (out / "search.md").read_text()
    before = (out / "search.md").read_text()
    assert main(words) == 0  # nothing is left to do
    assert (out / "search.md").read_text() == before
    (out / "best.yaml").write_text("mine")
    assert main(words) == 2
    assert "best.yaml exists, and was not written by cpunet" in capsys.readouterr().err
    assert main([*words[:4], "--trials", "0"]) == 2
    assert "--trials must be 1 or more; it is 0" in capsys.readouterr().err
    path.write_text(yaml.safe_dump({**CONTENT, "search": {"learning_rate": 3}}))
    assert main([*words, "--overwrite"]) == 2
    assert f"{path}: search: learning_rate: this is 3. Give `low` and `high`" in capsys.readouterr().err

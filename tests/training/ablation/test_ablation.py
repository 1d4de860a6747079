import json
from dataclasses import fields, replace

import numpy as np
import pytest
import yaml

from cpunet.__main__ import main
from cpunet.errors import ConfigError
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.ablation.ablation import AblationScore, as_table
from cpunet.training.ablation.runs import ablation_runs, switches
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.methods import open_weights
from cpunet.training.patches.augmentation import PRESETS, Augmentation
from tests.synthetic_data_set import SMALL


@pytest.mark.parametrize("preset", PRESETS)
def test_each_augmentation_that_is_on_is_left_out_once(small_config, preset):
    config = replace(small_config, augmentation=PRESETS[preset])
    runs = ablation_runs(config, 1)
    assert (runs[0].what, runs[-1].what) == ("with all", "without any")
    assert runs[0].config.augmentation == PRESETS[preset]
    changed = []
    for run in runs[1:-1]:
        different = [
            field.name
            for field in fields(Augmentation)
            if getattr(run.config.augmentation, field.name) != getattr(PRESETS[preset], field.name)
        ]
        assert 1 <= len(different) <= 2
        changed += different
        assert replace(run.config, augmentation=config.augmentation, name=config.name) == config
    assert len(changed) == len(set(changed))
    assert not switches(runs[-1].config.augmentation)
    assert len({run.folder for run in runs}) == len(runs)


def test_repeats_have_seeds_of_their_own(small_config):
    runs = ablation_runs(replace(small_config, augmentation=PRESETS["gentle"]), 3)
    assert len(runs) == 3 * 5
    assert [run.config.seed for run in runs[:4]] == [3, 4, 5, 3]
    with pytest.raises(ConfigError, match="--repeats must be 1 or more; it is 0"):
        ablation_runs(small_config, 0)
    with pytest.raises(ConfigError, match="augmentation: none is on"):
        ablation_runs(ablation_runs(small_config, 1)[-1].config, 1)


def test_the_table_shows_what_is_lost_without_each(tmp_path, data_root, capsys):
    path, out = tmp_path / "small.yaml", tmp_path / "out"
    only = {**{field.name: 0 for field in fields(Augmentation) if field.name.endswith("_fraction")}, "shear": 0}
    only |= dict.fromkeys(("gamma_low", "gamma_high", "brightness_low", "brightness_high"), 1)
    only |= {"blur_px": 0, "noise": 0}
    path.write_text(yaml.safe_dump({**SMALL, "augmentation": only, "validate_every": 50, "validation_images": 1}))
    words = ["train-ablation", str(path), "--data", str(data_root), "--steps", "10", "-o", str(out)]
    assert main(words) == 0
    listed = json.loads((out / "ablation.json").read_text())["trainings"]
    assert [each["augmentation"] for each in listed] == ["with all", "without scale", "without any"]
    for each, name in zip(listed, ("with_all_1", "without_scale_1", "without_any_1"), strict=True):
        model = open_weights(out / name / "weights.safetensors", needs_diameter=True)
        truths = [read_labeled_image(row) for row in read_index(data_root / "drawn") if row.split == "val"]
        scores = [score_image(truth.labels, segment_image(truth.image, model).labels) for truth in truths]
        assert each["mean_f1"] == pytest.approx(pool_scores(scores).mean_f1, abs=1e-4)
    lost = listed[0]["mean_f1"] - listed[1]["mean_f1"]
    page = (out / "ablation.md").read_text()
    assert f"| without scale | 1 | {listed[1]['mean_f1']:.3f} |" in page
    assert f"| {lost:+.3f} |" in page
    assert "without scale" in capsys.readouterr().out
    times = {folder: (folder / "weights.safetensors").stat().st_size for folder in out.glob("with*")}
    checkpoints = {folder: (folder / "best.ckpt").stat().st_mtime_ns for folder in times}
    assert main(words) == 0
    assert {folder: (folder / "best.ckpt").stat().st_mtime_ns for folder in times} == checkpoints
    (out / "ablation.md").write_text("mine")
    assert main(words) == 2
    assert "ablation.md exists, and was not written by cpunet" in capsys.readouterr().err


def scored(what, repeat, missed):
    """The scores of four objects, of which so many are not found."""
    truth = np.zeros((8, 8), np.int32)
    truth[::4, ::4] = [[1, 2], [3, 4]]
    return AblationScore(what, repeat, pool_scores([score_image(truth, np.where(truth > missed, truth, 0))]))


def test_repeats_are_averaged_and_their_spread_is_shown():
    found = [scored("with all", 1, 0), scored("with all", 2, 2), scored("without noise", 1, 2)]
    f1 = 2 * 2 / (2 * 2 + 2)  # two of four objects
    heads, everything, without = as_table(found)
    assert heads[-2:] == ["lost of mean F1", "lowest to highest mean F1"]
    assert everything == ["with all", "2", *[f"{(1 + f1) / 2:.3f}"] * 3, "", f"{f1:.3f} to 1.000"]
    assert without == ["without noise", "1", *[f"{f1:.3f}"] * 3, f"{(1 + f1) / 2 - f1:+.3f}", f"{f1:.3f} to {f1:.3f}"]

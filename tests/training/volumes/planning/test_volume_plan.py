from dataclasses import replace

import pytest
import yaml

from cpunet.__main__ import main
from cpunet.errors import DataError
from cpunet.training.config import read_config
from cpunet.training.planning.machine import Machine
from cpunet.training.planning.plan_file import plan_as_yaml
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.planning.plan import VOXELS_CPU, make_volume_plan
from cpunet.training.volumes.planning.sanity_check import check_volume_training
from tests.labeled_volumes import write_rows, write_volumes
from tests.training.volumes.conftest import SIZES

MACHINE = Machine(free_bytes=16 * 10**9, gpu="", cores=2, fast_bf16=True)


def test_a_plan_is_a_configuration_with_a_reason_for_each_line(volume_root, tmp_path):
    plan = make_volume_plan("mine", [volume_root / "balls"], MACHINE)
    assert set(plan.reasons) == set(plan.content)
    path = tmp_path / "mine.yaml"
    path.write_text(plan_as_yaml(plan))
    assert read_config(path, VolumeConfig) == plan.config
    assert "cpunet train-volumes --plan" in path.read_text()
    config = plan.config
    assert config.z_step_px == 2.0
    assert config.precision == "bf16-mixed"
    # no more than the volumes have, but for what 16 bits need
    assert config.patch_planes == 3 * config.architecture.divisible_by_planes
    plain = make_volume_plan("mine", [volume_root / "balls"], replace(MACHINE, fast_bf16=False)).config
    assert plain.patch_planes <= 8


def test_the_distance_of_the_planes_decides_the_network(tmp_path):
    rows = [{"id": name, "split": split, "depth": 8} for name, split in (("a", "train"), ("b", "val"))]
    write_volumes(tmp_path / "far", rows)
    with pytest.raises(DataError, match="is not known"):
        make_volume_plan("mine", [tmp_path / "far"], MACHINE)
    for step, flat in ((1.5, 0), (3.0, 1), (6.0, 2)):
        plan = make_volume_plan("mine", [tmp_path / "far"], MACHINE, step)
        assert plan.config.architecture.flat_levels == flat
        assert plan.config.data[0].z_step_px == step


def test_patches_fit_the_memory_and_are_small_on_a_cpu(tmp_path):
    rows = [{"id": name, "split": split, **SIZES} for name, split in (("a", "train"), ("b", "val"))]
    write_volumes(tmp_path / "large", rows, shape=(48, 160, 160), z_step_px=0.25)
    large = make_volume_plan("mine", [tmp_path / "large"], MACHINE).config
    gpu = make_volume_plan("mine", [tmp_path / "large"], replace(MACHINE, gpu="one")).config
    little = make_volume_plan("mine", [tmp_path / "large"], replace(MACHINE, free_bytes=10**8)).config
    assert large.patch_planes * large.patch_size**2 <= VOXELS_CPU
    assert gpu.batch_size > large.batch_size
    assert little.patch_size < large.patch_size
    assert little.batch_size == 1


def test_the_command_writes_a_plan_and_keeps_one_that_is_there(volume_root, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    words = ["train-volumes", str(path), "--plan", "--data", str(volume_root), "--steps", "3"]
    assert main(words) == 0
    content = yaml.safe_load(path.read_text())
    assert content["steps"] == 3
    assert "# The training takes about" in path.read_text()
    assert main(words) == 2
    assert "already exists" in capsys.readouterr().err


def test_a_set_without_validation_is_named(volume_root):
    write_rows(volume_root / "balls", [{"id": name, "split": "train", **SIZES} for name in "abc"])
    with pytest.raises(DataError, match="no volume has the split 'val'"):
        make_volume_plan("mine", [volume_root / "balls"], MACHINE)


def test_the_checks_pass_on_drawn_balls(volume_root, tmp_path, volume_config):
    config = replace(volume_config, learning_rate=0.02)
    checks = check_volume_training(config, volume_root, tmp_path / "run")
    assert [check.passed for check in checks] == [True] * 3, "\n".join(map(str, checks))
    assert (tmp_path / "run" / "patches.png").stat().st_size > 1000

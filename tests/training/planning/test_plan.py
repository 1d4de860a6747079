from dataclasses import replace

import numpy as np
import pytest
import yaml
from skimage.io import imsave

from cpunet.__main__ import main
from cpunet.errors import DataError
from cpunet.files.images import read_image
from cpunet.training.config import read_config
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import measure_receptive_field
from cpunet.training.network.unet import Architecture, UNet
from cpunet.training.patches.augmentation import PRESETS
from cpunet.training.planning.duration import Duration
from cpunet.training.planning.machine import Machine
from cpunet.training.planning.plan import DEPTHS, make_plan
from cpunet.training.planning.plan_file import plan_as_yaml
from cpunet.training.planning.set_facts import look_at_set
from cpunet.training.weights import TrainedNetwork, save_trained
from tests.synthetic_data_set import write_data_set

MACHINE = Machine(free_bytes=16 * 10**9, gpu="", cores=2, fast_bf16=False)


@pytest.fixture
def folder(data_root):
    return data_root / "drawn"


def enlarged(data_root, tmp_path, factor):
    """The same data set with each pixel repeated."""
    write_data_set(tmp_path / "big", ["train"] * 3 + ["val"])
    for path in tmp_path.glob("big/*/*.png"):
        image = read_image(path)
        imsave(str(path), np.kron(image, np.ones((factor, factor), image.dtype)), check_contrast=False)
    return tmp_path / "big"


def test_a_plan_is_a_configuration_with_a_reason_for_each_line(folder, tmp_path):
    plan = make_plan("mine", [folder], MACHINE)
    assert set(plan.reasons) == set(plan.content)
    text = plan_as_yaml(plan)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert read_config(path) == plan.config
    lines = text.splitlines()
    for field in plan.content:
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{field}:"))
        assert lines[at - 1] == f"# {plan.reasons[field]}"
    assert str(plan.summary) in lines[1]


def test_small_objects_stay_and_large_ones_are_scaled(data_root, folder, tmp_path):
    assert make_plan("mine", [folder], MACHINE).config.diameter_px == 0
    large = make_plan("mine", [enlarged(data_root, tmp_path, 4)], MACHINE).config
    assert large.diameter_px == 45  # from 72, by as little as is needed


@pytest.mark.parametrize("largest", [20.0, 50.0, 80.0, 120.0])
def test_the_network_sees_twice_the_largest_objects(folder, monkeypatch, largest):
    facts = replace(look_at_set(folder), diameter_high_px=largest)
    monkeypatch.setattr("cpunet.training.planning.plan.look_at_set", lambda _: facts)
    architecture = make_plan("mine", [folder], MACHINE).config.architecture
    assert measure_receptive_field(UNet(architecture, 1, 1)) >= 2 * largest
    if architecture.depth > DEPTHS[0]:
        less = Architecture(depth=architecture.depth - 1)
        assert measure_receptive_field(UNet(less, 1, 1)) < 2 * largest


def test_the_batch_fits_into_the_memory(folder):
    plans = [make_plan("mine", [folder], replace(MACHINE, free_bytes=free)) for free in (10**7, 10**8, 10**10)]
    sizes = [plan.config.batch_size for plan in plans]
    assert sizes[0] < sizes[1] < sizes[2] == 8
    need = sizes[1] * plans[1].summary.activation_bytes_per_patch
    assert need < 0.4 * 10**8
    gpu = replace(MACHINE, gpu="a GPU", free_bytes=80 * 10**9)
    assert make_plan("mine", [folder], gpu).config.batch_size == 32


def test_precision_and_workers_follow_the_machine(folder):
    config = make_plan("mine", [folder], replace(MACHINE, fast_bf16=True, cores=5)).config
    assert (config.precision, config.workers) == ("bf16-mixed", 5)
    assert make_plan("mine", [folder], MACHINE).config.precision == "32-true"


def test_dark_objects_are_normalized_at_both_ends_alike(tmp_path):
    write_data_set(tmp_path / "drawn", ["train"] * 2 + ["val"])
    for path in tmp_path.glob("drawn/images/*.png"):
        imsave(str(path), 255 - read_image(path), check_contrast=False)
    normalization = make_plan("mine", [tmp_path / "drawn"], MACHINE).config.normalization
    assert normalization.percentile_low == pytest.approx(100 - normalization.percentile_high)


def test_few_images_are_changed_much(folder, tmp_path):
    write_data_set(tmp_path / "many", ["train"] * 24 + ["val"])
    few, enough = (make_plan("mine", [path], MACHINE).content["augmentation"] for path in (folder, tmp_path / "many"))
    assert (few["preset"], enough["preset"]) == ("heavy", "standard")


@pytest.mark.parametrize(("images", "fraction"), [(5, PRESETS["heavy"].clump_fraction), (50, 0.2)])
def test_where_few_objects_touch_some_are_pasted_side_by_side(folder, monkeypatch, images, fraction):
    facts = replace(look_at_set(folder), images=images, touching=0.02)
    monkeypatch.setattr("cpunet.training.planning.plan.look_at_set", lambda _: facts)
    assert make_plan("mine", [folder], MACHINE).config.augmentation.clump_fraction == fraction


def test_fine_tuning_is_planned_around_the_model(folder, tmp_path, small_config):
    config = replace(small_config, architecture=Architecture(base_channels=8, depth=2))
    facts = {"diameter_px": 60.0, "diameter_low_px": 40.0, "diameter_high_px": 90.0}
    save_trained(tmp_path / "base.safetensors", TrainedNetwork(build_network(config).eval(), config, facts))
    start = str(tmp_path / "base.safetensors")
    planned = make_plan("mine", [folder], MACHINE, start).config
    assert planned.architecture == config.architecture
    assert planned.targets == config.targets
    assert planned.diameter_px == pytest.approx((40 * 60) ** 0.5, abs=0.1)  # 18 pixels are far from what it knows
    assert planned.start_from == start


@pytest.fixture
def start(tmp_path, small_config):
    """Weights to start from that know the drawn nuclei's size."""
    facts = {"diameter_px": 20.0, "diameter_low_px": 8.0, "diameter_high_px": 40.0}
    path = tmp_path / "start.safetensors"
    save_trained(path, TrainedNetwork(build_network(small_config).eval(), small_config, facts))
    return str(path)


def test_fine_tuning_takes_longer_with_more_images_but_not_in_proportion(tmp_path, start):
    steps = []
    for number in (2, 32):
        write_data_set(tmp_path / f"set{number}", ["train"] * number + ["val"])
        steps.append(make_plan("mine", [tmp_path / f"set{number}"], MACHINE, start).config.steps)
    assert steps[1] == pytest.approx(2 * steps[0], abs=50)


@pytest.mark.parametrize(("images", "share"), [(1, 0.3), (2, 0.3), (3, 0.0)])
def test_of_one_or_two_images_a_part_of_the_start_is_kept(tmp_path, start, images, share):
    write_data_set(tmp_path / "few", ["train"] * images)
    assert make_plan("mine", [tmp_path / "few"], MACHINE, start).config.start_share == share
    assert make_plan("mine", [tmp_path / "few"], MACHINE).config.start_share == 0


def test_of_images_of_another_kind_no_part_of_the_start_is_kept(tmp_path, start):
    write_data_set(tmp_path / "few", ["train"])
    table = tmp_path / "few" / "index.csv"
    table.write_text(table.read_text().replace("fluorescence", "phase_contrast"))
    assert make_plan("mine", [tmp_path / "few"], MACHINE, start).config.start_share == 0


def test_a_short_run_has_a_higher_rate(folder):
    short, long = (make_plan("mine", [folder], MACHINE, given={"steps": steps}).config for steps in (200, 5000))
    assert short.learning_rate > long.learning_rate


def test_sets_of_different_kinds_are_not_planned_together(folder, tmp_path):
    write_data_set(tmp_path / "color", ["train", "val"])
    for path in tmp_path.glob("color/images/*.png"):
        gray = read_image(path)
        imsave(str(path), np.stack([gray, gray // 2, gray // 3], axis=-1), check_contrast=False)
    assert make_plan("mine", [tmp_path / "color"], MACHINE).config.channels == ("red", "green", "blue")
    with pytest.raises(DataError, match="color 3"):
        make_plan("mine", [folder, tmp_path / "color"], MACHINE)


def test_the_command_writes_a_plan_once(data_root, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    command = ["train", str(path), "--plan", "--data", str(data_root)]
    assert main(command) == 0
    assert read_config(path).name == "mine"
    said = capsys.readouterr().out
    assert "patch_size" in said
    assert "on this machine as busy as it is now" in said
    assert "cpunet export --data` tunes marker_threshold" in said
    assert "# The training takes about " in path.read_text()
    assert yaml.safe_load(path.read_text())["data"][0]["folder"] == "drawn"
    before = path.read_text()
    assert main(command) == 2
    assert "already exists" in capsys.readouterr().err
    assert path.read_text() == before


def test_a_plan_that_exists_is_refused_before_any_image_is_read(data_root, tmp_path, capsys, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text("edited by hand")
    monkeypatch.setattr("cpunet.training.commands.train.make_plan", lambda *_: pytest.fail("images were read"))
    assert main(["train", str(path), "--plan", "--data", str(data_root)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert path.read_text() == "edited by hand"


@pytest.mark.parametrize("word", ["", "drawn"])
def test_a_plan_takes_a_set_or_the_folder_that_holds_it(data_root, tmp_path, word):
    path = tmp_path / "mine.yaml"
    assert main(["train", str(path), "--plan", "--data", str(data_root / word), "--steps", "50"]) == 0
    assert [source.folder for source in read_config(path).data] == ["drawn"]


def test_what_is_given_is_kept_and_said(data_root, tmp_path, small_config):
    start = tmp_path / "base.safetensors"
    facts = {"diameter_px": 20.0, "diameter_low_px": 8.0, "diameter_high_px": 40.0}
    save_trained(start, TrainedNetwork(build_network(small_config).eval(), small_config, facts))
    path = tmp_path / "mine.yaml"
    command = ["train", str(path), "--plan", "--data", str(data_root), "--from", str(start), "--freeze", "encoder"]
    assert main([*command, "--steps", "50"]) == 0
    config = read_config(path)
    assert (config.steps, config.validate_every, config.frozen) == (50, 25, "encoder")
    assert "# given on the command line\nsteps: 50" in path.read_text()


@pytest.mark.parametrize(("minutes", "fewer"), [(2, True), (1000, False)])
def test_a_plan_for_some_minutes_has_no_more_steps_than_fit(data_root, tmp_path, monkeypatch, minutes, fewer):
    measured = Duration(999, 21, 0.25, 3.0)
    monkeypatch.setattr("cpunet.training.commands.train.measure_duration", lambda *_: measured)
    usual = make_plan("mine", [data_root / "drawn"], MACHINE).config.steps
    path = tmp_path / "mine.yaml"
    assert main(["train", str(path), "--plan", "--data", str(data_root), "--minutes", str(minutes)]) == 0
    steps = read_config(path).steps
    assert steps == ((60 * minutes - 21 * 3) / 0.25 if fewer else usual)
    assert f": {steps if fewer else 999} steps of 0.25 s" in path.read_text()
    assert (f"fits into {minutes} minutes" in path.read_text()) == fewer


def test_minutes_that_are_too_few_or_without_a_plan_are_refused(data_root, tmp_path, small_yaml, capsys):
    path = tmp_path / "mine.yaml"
    assert main(["train", str(path), "--plan", "--data", str(data_root), "--minutes", "0.0001"]) == 2
    assert "--minutes 0.0001: the validations and one step alone take" in capsys.readouterr().err
    assert not path.exists()
    assert main(["train", str(small_yaml), "--data", str(data_root), "--minutes", "5"]) == 2
    assert "--minutes goes with --plan" in capsys.readouterr().err

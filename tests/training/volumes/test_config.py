import pytest

from cpunet.errors import ConfigError
from cpunet.training.config import config_from_dict, config_to_dict
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.patches.augmentation import VOLUME_PRESETS
from tests.training.volumes.conftest import SMALL

WRONG = {
    "no volumes": ({"data": [{"folder": "a", "dimensions": 2}]}, "Name one with volumes"),
    "four dimensions": ({"data": [{"folder": "a", "dimensions": 4}]}, "must be 2 .* or 3"),
    "z step of images": ({"data": [{"folder": "a", "dimensions": 2, "z_step_px": 2.0}]}, "belongs to volumes"),
    "stain of volumes": ({"data": [{"folder": "a", "stain": "hematoxylin"}]}, "stain and modalities belong to images"),
    "planes in one place": ({"data": [{"folder": "a", "z_step_px": 0.001}]}, "0.05 and 50"),
    "planes too far apart": ({"z_step_px": 100.0}, "0.05 and 50"),
    "patch planes": (
        {"patch_planes": 6, "architecture": {"depth": 2, "flat_levels": 0}},
        "patch_planes: must be a multiple of 4",
    ),
    "no planes": ({"patch_planes": -4, "architecture": {"depth": 2}}, "patch_planes: must be a multiple of 1"),
    "two planes in 16 bits": (
        {"precision": "bf16-mixed", "architecture": {"depth": 2, "flat_levels": 0}},
        "patch_planes: must be 12 or more with the precision bf16-mixed",
    ),
    "patch size": ({"patch_size": 30}, "patch_size: must be a multiple of 4"),
    "boundaries alone": ({"targets": {"kind": "boundary"}}, "boundaries alone"),
    "gradient": ({"gradient_norm": 0}, "gradient_norm: must be larger than 0"),
    "no channel": ({"channels": []}, "channels: name at least one"),
    "deep": ({"architecture": {"depth": 9}}, "depth: must be 1 to 6"),
    "flat": ({"architecture": {"depth": 2, "flat_levels": 3}}, "flat_levels: must be 0 to the depth"),
    "narrow": ({"architecture": {"base_channels": 64, "max_channels": 8}}, "max_channels: must not be smaller"),
    "dropout": ({"architecture": {"dropout": 1.0}}, "dropout: must be a share"),
    "no features": ({"architecture": {"base_channels": 0}}, "base_channels: must be 1 or more"),
    "preset": ({"augmentation": "wild"}, "the presets are gentle, standard, heavy"),
    "zoom": ({"augmentation": {"scale_low": 2.0, "scale_high": 1.0}}, "scale_low: must not be larger"),
    "light": ({"augmentation": {"depth_loss": 1.0}}, "depth_loss: must lie between 0 and 0.95"),
    "unknown": ({"patch_depth": 8}, "patch_depth"),
}


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(changes, said):
    with pytest.raises(ConfigError, match=said):
        config_from_dict({**SMALL, **changes}, VolumeConfig)


def test_a_configuration_is_the_same_after_being_stored(volume_config):
    assert config_from_dict(config_to_dict(volume_config), VolumeConfig) == volume_config


def test_a_preset_of_augmentation_is_named_alone_or_with_changes():
    config = config_from_dict({**SMALL, "augmentation": {"preset": "heavy", "noise": 0.5}}, VolumeConfig)
    assert config.augmentation.noise == 0.5
    assert config.augmentation.z_scale == VOLUME_PRESETS["heavy"].z_scale

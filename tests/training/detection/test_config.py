import pytest

from cpunet.errors import ConfigError
from cpunet.training.config import config_from_dict, config_to_dict, without_description
from cpunet.training.detection.config import DetectionConfig

SMALLEST = {"name": "boxes", "data": [{"folder": "drawn"}]}


def read(**values):
    return config_from_dict({**SMALLEST, **values}, DetectionConfig)


def test_a_configuration_survives_as_plain_content():
    config = read(detector={"backbone": "resnet18", "anchor_px": [8, 16, 32, 64, 128]}, augmentation="gentle")
    assert config.detector.anchor_px == (8, 16, 32, 64, 128)
    assert config.augmentation.scale_low == 0.8
    assert config_from_dict(config_to_dict(config), DetectionConfig) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": []}, "data: name at least one"),
        ({"data": [{"folder": "drawn"}] * 2}, "drawn is listed twice"),
        ({"data": [{"folder": "drawn", "stain": "ink"}]}, "stain must be one of hematoxylin"),
        ({"data": [{"folder": "drawn", "share": 0}]}, "each share must be larger"),
        ({"channels": ["a", "b"]}, "channels: name one or three; there are 2"),
        ({"detector": {"backbone": "vgg"}}, "detector.backbone: must be one of resnet18, resnet34, resnet50"),
        ({"detector": {"normalization_layers": "layer"}}, "detector.normalization_layers: must be one of group"),
        ({"detector": {"anchor_px": [16, 32]}}, "detector.anchor_px: give 5 sides"),
        ({"detector": {"aspect_ratios": [0.5, 0]}}, "detector.aspect_ratios: give ratios larger than 0"),
        ({"detector": {"mask_channels": 100}}, "detector.mask_channels: must be a multiple of 32"),
        ({"detector": {"proposals": 0}}, "detector.proposals: must be 1 or more; it is 0"),
        ({"detector": {"max_objects": 501}}, "detector.max_objects: must lie between 1 and 500; it is 501"),
        ({"detector": {"overlap_threshold": 1}}, "detector.overlap_threshold: must lie between 0 and 1"),
        ({"detector": {"score_threshold": 0.01}}, "detector.score_threshold: must be 0.05 to below 1; it is 0.01"),
        ({"detector": {"normalization_layers": "frozen_batch"}}, "random ones have none. Give start_from"),
        ({"start_licence": "MIT"}, "start_licence: there are no weights to start from"),
        ({"patch_size": 63}, "patch_size: must be at least 64; it is 63"),
        ({"optimizer": "lion"}, "optimizer: must be one of adamw"),
        ({"gradient_norm": 0}, "gradient_norm: must be larger than 0"),
        ({"average_decay": 1}, "average_decay: must be 0 to below 1"),
        ({"batch_size": 0}, "batch_size: must be 1 or more"),
        ({"workers": -1}, "workers: must be 0 or more"),
        ({"loss": {}}, "there is no field 'loss'"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(values, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        read(**values)


def test_a_description_and_the_license_of_the_start_may_change_within_a_run():
    before = read(description="first", start_from="a.pth", start_licence="")
    now = read(description="second", start_from="a.pth", start_licence="BSD-3-Clause", workers=0)
    assert without_description(before) == without_description(now)
    assert without_description(before) != without_description(read(start_from="b.pth"))

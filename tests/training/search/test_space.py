import pytest
import yaml

from cpunet.errors import ConfigError
from cpunet.training.config import config_from_dict, read_config
from cpunet.training.search.space import SearchedNumber, read_space, with_values
from tests.synthetic_data_set import SMALL


def test_ranges_and_choices_are_read():
    section = {
        "learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"},
        "batch_size": {"low": 2, "high": 8},
        "loss.dice": {"low": 0, "high": 1, "scale": "linear"},
        "architecture.encoder": {"choices": ["plain", "residual"]},
    }
    assert read_space({**SMALL, "search": section}) == [
        SearchedNumber("learning_rate", 0.001, 0.1, is_log=True),
        SearchedNumber("batch_size", 2, 8, is_whole=True),
        SearchedNumber("loss.dice", 0, 1),
        SearchedNumber("architecture.encoder", choices=("plain", "residual")),
    ]


def test_without_a_section_the_usual_numbers_are_searched():
    assert [(number.name, number.low, number.high, number.is_log) for number in read_space(SMALL)] == [
        ("learning_rate", 0.001, 0.1, True),
        ("weight_decay", 1e-6, 1e-2, True),
        ("loss.dice", 0.0, 1.0, False),
    ]


def test_a_training_takes_a_file_with_the_section(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "search": {"anything": 1}}))
    assert read_config(path) == config_from_dict(SMALL)


def test_values_are_put_in_their_place():
    assert with_values(SMALL, {"architecture.depth": 3, "loss.dice": 0.2, "steps": 7}) == {
        **SMALL,
        "architecture": {**SMALL["architecture"], "depth": 3},
        "loss": {"dice": 0.2},
        "steps": 7,
    }
    assert SMALL["architecture"]["depth"] == 2
    config = config_from_dict(with_values({**SMALL, "augmentation": "heavy"}, {"augmentation.noise": 0.3}))
    assert (config.augmentation.noise, config.augmentation.elastic_px) == (0.3, 8)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ([], "search: this must name numbers"),
        ({"learning": {"low": 1, "high": 2}}, "search: learning: a configuration has no such field"),
        ({"loss.dicee": {"low": 1, "high": 2}}, "search: loss.dicee: .* no such field. There are cross_entropy, "),
        ({"loss": {"low": 1, "high": 2}}, "search: loss: this is no single value"),
        ({"learning_rate": 0.1}, "search: learning_rate: this is 0.1. Give `low` and `high`"),
        ({"learning_rate": {"low": 1}}, "search: learning_rate: this is {'low': 1}. Give"),
        ({"learning_rate": {"low": 1, "high": 1}}, "low must be less than high; they are 1 and 1"),
        ({"learning_rate": {"low": "a", "high": 1}}, "low must be a number; it is 'a'"),
        ({"batch_size": {"low": 1.5, "high": 4}}, "low must be a whole number; it is 1.5"),
        ({"learning_rate": {"low": 1, "high": float("inf")}}, "high must be finite; it is inf"),
        ({"batch_size": {"low": 1, "high": float("inf")}}, "high must be a whole number; it is inf"),
        ({"learning_rate": {"low": 1, "high": 2, "scale": "cubic"}}, "scale must be one of linear, log; it is 'cubic'"),
        ({"weight_decay": {"low": 0, "high": 1, "scale": "log"}}, "low must be more than 0; it is 0"),
        ({"optimizer": {"low": 0, "high": 1}}, "search: optimizer: this is no number"),
        ({"optimizer": {"choices": ["adam"]}}, "choices must be a list of two values or more; it is \\['adam'\\]"),
        ({"optimizer": {"choices": ["adam", "eve"]}}, "search: optimizer: 'eve' cannot be: optimizer: must be one of"),
        ({"patch_size": {"low": 48, "high": 64}}, "search: patch_size: 49 cannot be: .* Give `choices` that can be"),
        ({"name": {"choices": ["one", "two"]}}, "search: name: this only describes the model"),
        ({"average_decay": {"low": 0, "high": 1}}, "search: average_decay: 1.0 cannot be: average_decay: must be 0 to"),
        ({"steps": {"low": 1, "high": 2}}, "search: steps: this is the same in all trials"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_way_out(section, said):
    with pytest.raises(ConfigError, match=said):
        read_space({**SMALL, "search": section})

"""Recipes: configurations that come with cpunet, and are completed by the data sets that they are used for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cpunet.errors import ConfigError
from cpunet.training.config import DataSource, TrainingConfig, config_from_dict, read_content
from cpunet.training.data.data_sets import check_names, data_root, find_data_sets, the_only
from cpunet.training.data.labeled_images import read_labeled_image, rows_of_split

RECIPES = Path(__file__).parents[1] / "recipes"
ONE_CHANNEL = ("gray",)


def recipe_names() -> list[str]:
    """Name the recipes that come with cpunet."""
    return sorted(path.name for path in RECIPES.glob("*.yaml"))


def find_config(path: Path) -> Path:
    """Return a configuration file, or the recipe of this name if there is no such file.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    if path.exists():
        return path
    if str(path) in recipe_names():
        return RECIPES / path
    raise ConfigError(f"{path}: there is no such file. The recipes are {', '.join(recipe_names())}.")


def read_completed(
    path: Path, words: Sequence[Path], names: Sequence[str] = (), channels: Sequence[str] = ()
) -> tuple[TrainingConfig, Path]:
    """Read a configuration, and complete it by the data sets of a command line.

    Parameters
    ----------
    path : Path
        A YAML file. Without ``data``, it is completed by all data sets that the words mean, each used equally often.
        Without ``channels``, it is completed by as many as the first training image has.
    words : sequence of Path
        See `cpunet.training.data.data_sets.find_data_sets`.
    names : sequence of str
        Only the sets of these names; all if empty.
    channels : sequence of str
        Names of the image's channels, which replace those of the file; none if empty.

    Returns
    -------
    config : TrainingConfig
    root : Path
        The folder that holds its data sets.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds what cannot be.
    DataError
        If a data set is missing or cannot be used.
    """
    content = read_content(path)
    try:
        return _completed(content, words, names, channels)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _completed(
    content: dict[str, Any], words: Sequence[Path], names: Sequence[str], channels: Sequence[str]
) -> tuple[TrainingConfig, Path]:
    if channels:
        content = {**content, "channels": list(channels)}
    if content.get("data"):
        if names:
            content = {**content, "data": _only(config_from_dict(content).data, content["data"], names)}
        config = config_from_dict(content)
        return config, data_root(words, [source.folder for source in config.data])
    folders = find_data_sets(words, names)
    check_names(folders)
    root = the_only(folder.resolve().parent for folder in folders)
    content = {**content, "data": [{"folder": folder.resolve().name} for folder in folders]}
    config = config_from_dict(content)
    if "channels" not in content:
        config = config_from_dict({**content, "channels": channel_names(channels_of_first(config, root))})
    return config, root


def _only(sources: Sequence[DataSource], content: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return the data sets of a configuration that have one of these names."""
    there = [source.folder for source in sources]
    for name in names:
        if name not in there:
            raise ConfigError(f"data: there is no set {name!r}; the sets are {', '.join(dict.fromkeys(there))}.")
    return [each for each, folder in zip(content, there, strict=True) if folder in names]


def channels_of_first(config: TrainingConfig, root: Path) -> int:
    """Count the channels of the first training image."""
    image = read_labeled_image(rows_of_split(config.data, root, "train")[0][0]).image
    return 1 if image.ndim == 2 else image.shape[2]


def channel_names(number: int) -> list[str]:
    """Name the channels of images of which nothing else is known."""
    return list(ONE_CHANNEL) if number == 1 else [f"channel_{each}" for each in range(1, number + 1)]

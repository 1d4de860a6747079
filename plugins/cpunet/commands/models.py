"""``cpunet models``: list the models that have a name, with their cards."""

from __future__ import annotations

import argparse

from cpunet.errors import ModelError
from cpunet.model.describe import describe
from cpunet.model.find import MODELS_VARIABLE, list_models, model_folders
from cpunet.onnx_reader.metadata import read_card


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; there is none."""


def run(arguments: argparse.Namespace) -> int:
    """Print all models; return 1 if a file cannot be used or there is no model."""
    models = list_models()
    if not models:
        searched = ", ".join(str(folder) for folder in model_folders()) or "no folder is there"
        print(f"No model found (searched: {searched}). Set {MODELS_VARIABLE} to the folder that holds them.")
        return 1
    broken = 0
    for name, path in models.items():
        try:
            print("\n".join(describe(name, path, read_card(path))))
        except (ModelError, OSError) as error:
            broken += 1
            print(f"{name}\n    cannot be used: {error}")
    return 1 if broken else 0

"""``cpunet models``: list the models that have a name, with their cards, and the files that choose among them."""

from __future__ import annotations

import argparse

from cpunet.choice.card import listed, read_chooser_card
from cpunet.errors import ModelError
from cpunet.model.describe import describe
from cpunet.model.find import MODELS_VARIABLE, list_models, model_folders
from cpunet.onnx_reader.metadata import CHOOSER_KEY, card_in, read_metadata


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
            metadata = read_metadata(path)
            if CHOOSER_KEY in metadata:
                print(f"{name}\n    chooses among {listed(read_chooser_card(path).models)}\n    file      {path}")
            else:
                print("\n".join(describe(name, path, card_in(path, metadata))))
        except (ModelError, OSError) as error:
            broken += 1
            print(f"{name}\n    cannot be used: {error}")
    return 1 if broken else 0

"""Where models lie, and which one a name means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

from cpunet.model_card import ModelError

MODELS_VARIABLE = "CPUNET_MODELS"
DEFAULT_MODEL = "nuclei_fluorescence"
MODEL_FILE = "model.onnx"


def model_folders() -> List[Path]:
    """Return the folders in which models are looked for, first the user's own.

    Returns
    -------
    list of Path
        The folder that the environment variable CPUNET_MODELS names; models/ inside the installed
        package; models/ inside, and beside, the plugins folder. Those that exist.
    """
    package = Path(__file__).resolve().parent
    own = os.environ.get(MODELS_VARIABLE)
    candidates = [Path(own)] if own else []
    candidates += [package / "models", package.parent / "models", package.parent.parent / "models"]
    return [folder for folder in candidates if folder.is_dir()]


def list_models() -> Dict[str, Path]:
    """Find all models that have a name.

    Returns
    -------
    dict of str to Path
        Each <folder>/<name>/model.onnx by its name, in alphabetical order; of two with one name, the
        first folder's.
    """
    found: Dict[str, Path] = {}
    for folder in model_folders():
        for path in folder.glob(f"*/{MODEL_FILE}"):
            found.setdefault(path.parent.name, path)
    return dict(sorted(found.items()))


def find_model(name_or_path: str) -> Path:
    """Return the file of a model.

    Parameters
    ----------
    name_or_path : str
        The name of a shipped model, or the path of an ONNX file.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If there is no such model; the message names those that there are.
    """
    models = list_models()
    if name_or_path in models:
        return models[name_or_path]
    path = Path(name_or_path).expanduser()
    if path.suffix == ".onnx" or path.is_file():
        return path  # whoever opens it says what is wrong with it
    raise ModelError(
        f"There is no model {name_or_path!r}. Models found: {', '.join(models) or 'none'}. Give one of these names, or "
        "the path of an .onnx file."
    )

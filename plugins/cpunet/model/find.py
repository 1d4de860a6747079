"""Find models: the folders that hold them, and the file that a name means."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict, List, Mapping

from cpunet.errors import ModelError

MODELS_VARIABLE = "CPUNET_MODELS"
DEFAULT_MODEL = "nuclei_fluorescence"
MODEL_FILE = "model.onnx"
# Names that mean the file of a model itself, where the model's own name may stand for another form of it as well: see
# `cpunet.model.forms`.
FLOAT32_NAMES = {f"{DEFAULT_MODEL}_float32": DEFAULT_MODEL}


def user_models_folder(platform: str, environment: Mapping[str, str], home: str) -> Path:
    """Return the folder for the user's own models, which need not exist.

    It is cpunet/models in %LOCALAPPDATA% (Windows), in ~/Library/Application Support (macOS), or in $XDG_DATA_HOME or
    else ~/.local/share (Linux). The arguments are ``sys.platform``, ``os.environ`` and the user's home folder.
    """
    if platform == "win32":
        data = environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif platform == "darwin":
        data = os.path.join(home, "Library", "Application Support")
    else:
        data = environment.get("XDG_DATA_HOME", "")
        if not os.path.isabs(data):  # to be ignored, as the XDG Base Directory Specification asks
            data = os.path.join(home, ".local", "share")
    return Path(data) / "cpunet" / "models"


def model_folders() -> List[Path]:
    """Return the folders that are searched for models, the user's own first.

    They are, as far as they exist: the folder that the environment variable CPUNET_MODELS names; the user's models
    folder; models/ inside the installed package; models/ inside, and beside, the plugins folder.
    """
    package = Path(__file__).resolve().parents[1]
    own = os.environ.get(MODELS_VARIABLE)
    candidates = [Path(own)] if own else []
    candidates += [user_models_folder(sys.platform, os.environ, os.path.expanduser("~"))]
    candidates += [package / "models", package.parent / "models", package.parent.parent / "models"]
    return [folder for folder in candidates if os.path.isdir(folder)]


def list_models() -> Dict[str, Path]:
    """Find all models that have a name.

    Returns
    -------
    dict of str to Path
        Each <folder>/<name>/model.onnx and <folder>/<name>.onnx by its name, in alphabetical order. If a name occurs
        twice, the first folder wins, and within a folder the first form. Hidden files do not count.
    """
    found: Dict[str, Path] = {}
    for folder in model_folders():
        for path in sorted(folder.glob(f"*/{MODEL_FILE}")):
            found.setdefault(path.parent.name, path)
        for path in sorted(folder.glob("*.onnx")):
            if os.path.isfile(path) and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_model(name_or_path: str) -> Path:
    """Return the file of a model.

    Parameters
    ----------
    name_or_path : str
        A key of `list_models` or of `FLOAT32_NAMES`, the path of an ONNX file, or of a folder with model.onnx or a
        single ONNX file.

    Raises
    ------
    ModelError
        If there is no such model; the message lists the models found.
    """
    models = list_models()
    name = name_or_path if name_or_path in models else FLOAT32_NAMES.get(name_or_path, "")
    if name in models:
        return models[name]
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return _model_in(path)
    if path.suffix == ".onnx" or path.is_file():
        return path  # opening it says what is wrong with it
    raise ModelError(
        f"There is no model {name_or_path!r}. Models found: {', '.join(models) or 'none'}. Give one of these names, or "
        "the path of an .onnx file or its folder."
    )


def _model_in(folder: Path) -> Path:
    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    files = [path for path in sorted(folder.glob("*.onnx")) if path.is_file() and not path.name.startswith(".")]
    if len(files) == 1:
        return files[0]
    if files:
        raise ModelError(f"{folder} holds {len(files)} models, such as {files[0].name}. Give the file itself.")
    is_run = any((folder / name).exists() for name in ("weights.safetensors", "last.ckpt"))
    way_out = " These are the weights of a training; `cpunet export` makes a model of them." if is_run else ""
    raise ModelError(f"{folder}: there is no .onnx file in this folder.{way_out}")

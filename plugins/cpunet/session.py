"""Open an ONNX model with onnxruntime once a process, and run it; the only file that needs onnxruntime."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.bundled_packages import PYTHON_VERSION, add_bundled_packages, packages_folder_of_this_python
from cpunet.model_card import ModelCard, ModelError
from cpunet.onnx_file import read_card
from cpunet.onnx_safety import check_onnx

DEVICES = ("automatic", "cpu", "cuda")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


INSTALL_COMMAND = (
    # The installed application is no Python that could install anything, but any other Python can do it from outside.
    "python -m pip install --no-deps --only-binary=:all: "
    f'--python-version {PYTHON_VERSION} --target "{packages_folder_of_this_python()}" onnxruntime==1.19.2'
    if getattr(sys, "frozen", False)
    else f'"{sys.executable}" -m pip install onnxruntime   (or onnxruntime-gpu for an NVIDIA GPU)'
)
INSTALL_HELP = (
    "onnxruntime, the package that runs the network, cannot be loaded. Install it, then start CellProfiler again: "
    + INSTALL_COMMAND
)


class RuntimeMissingError(ImportError):
    """The package onnxruntime is not there; the message gives the command that installs it."""


class DeviceError(RuntimeError):
    """The device that was asked for cannot be had."""


@dataclass(frozen=True)
class OnnxModel:
    """A model that is open and ready.

    Attributes
    ----------
    path : Path
    card : ModelCard
    """

    path: Path
    card: ModelCard
    _session: Any
    _input_name: str

    @property
    def provider(self) -> str:
        """The onnxruntime provider that the session really runs on, not the one it was asked for."""
        name: str = self._session.get_providers()[0]
        return name

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network.

        Parameters
        ----------
        batch : ndarray of shape (N, C, Y, X), float32

        Returns
        -------
        ndarray of shape (N, roles, Y, X), float32
            Probabilities, 0..1.

        Raises
        ------
        ModelError
            If onnxruntime fails, or returns another shape than the card promises.
        """
        expected = (batch.shape[0], len(self.card.output.roles), *batch.shape[2:])
        try:
            result = np.asarray(self._session.run(None, {self._input_name: batch})[0])
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            raise ModelError(f"{self.path}: the network failed on an input of shape {batch.shape}: {error}") from error
        if result.shape != expected:
            raise ModelError(
                f"{self.path}: the network returned the shape {result.shape}; its card promises {expected}, one "
                f"channel each for {', '.join(self.card.output.roles)}. Export the model again."
            )
        return result.astype(np.float32, copy=False)


_open_models: Dict[Tuple[str, str, int], Tuple[Tuple[int, int], OnnxModel]] = {}


def load_model(path: Path, device: str = "automatic", threads: int = 0) -> OnnxModel:
    """Open a model, or return the one that this process has open already.

    Parameters
    ----------
    path : Path
        An ONNX file with a model card.
    device : str
        ``automatic`` (CUDA where a session really gets it, otherwise the CPU), ``cpu`` or ``cuda``.
    threads : int
        On the CPU; 0 uses all cores.

    Returns
    -------
    OnnxModel
        The same object for the same file, device and threads, until the file changes on disk.

    Raises
    ------
    ModelError
        If the file cannot be used.
    RuntimeMissingError
        If onnxruntime is not installed.
    DeviceError
        If ``cuda`` was asked for and the session did not get it.
    """
    if device not in DEVICES:
        raise DeviceError(f"There is no device {device!r}; the devices are {', '.join(DEVICES)}.")
    path = Path(path).resolve()
    card = read_card(path)
    status = path.stat()
    state = (status.st_mtime_ns, status.st_size)
    key = (str(path), device, threads)
    if key not in _open_models or _open_models[key][0] != state:
        _open_models.pop(key, None)  # the file was replaced: let go of the network that it held
        _open_models[key] = (state, _open(path, card, device, threads))
    return _open_models[key][1]


def import_onnxruntime() -> Any:
    """Import onnxruntime, from the plugin's own folder if Python has none.

    Returns
    -------
    module

    Raises
    ------
    RuntimeMissingError
        If it is not installed, or fails to load.
    """
    add_bundled_packages()
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(f"{INSTALL_HELP} ({error})") from error
    return onnxruntime


def _open(path: Path, card: ModelCard, device: str, threads: int) -> OnnxModel:
    check_onnx(path)  # nothing of the file reaches onnxruntime before
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # failures reach the user as exceptions, once, in our words
    # What was checked is what is opened: by the name x.ort, onnxruntime would read another format out of the same file.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    wants_cuda = device != "cpu" and CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not wants_cuda:
        raise DeviceError(
            "CUDA was asked for, but this onnxruntime has no GPU support. Install onnxruntime-gpu instead of "
            "onnxruntime, or choose the device Automatic or CPU."
        )
    if wants_cuda and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=[CUDA, CPU] if wants_cuda else [CPU]
        )
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        raise ModelError(f"{path}: onnxruntime {onnxruntime.__version__} cannot open this model: {error}") from error
    if device == "cuda":
        session.disable_fallback()  # onnxruntime would go on, unasked, on the CPU
    model = OnnxModel(path, card, session, _check_fits_card(path, card, session))
    if device == "cuda" and model.provider != CUDA:
        raise DeviceError(
            f"CUDA was asked for, but the session runs on {model.provider}: the CUDA or cuDNN libraries that "
            f"onnxruntime {onnxruntime.__version__} needs were not found. Choose the device Automatic or CPU, or "
            "install them."
        )
    return model


def _check_fits_card(path: Path, card: ModelCard, session: Any) -> str:
    """Compare the network's declared input and output with its card; return the input's name."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: the network has {len(inputs)} inputs and {len(outputs)} outputs; one of each is needed."
        )
    for what, value, channels in (
        ("input", inputs[0], len(card.input.channels)),
        ("output", outputs[0], len(card.output.roles)),
    ):
        if value.type != "tensor(float)" or len(value.shape) != 4:
            raise ModelError(
                f"{path}: the network's {what} is a {value.type} of shape {value.shape}; a float32 tensor "
                "(N, C, Y, X) is needed."
            )
        if any(isinstance(size, int) for size in (value.shape[0], *value.shape[2:])):
            raise ModelError(
                f"{path}: the network's {what} has the fixed shape {value.shape}; its batch, height and width must "
                "be free, so that images of any size fit. Export the model again with dynamic axes."
            )
        if isinstance(value.shape[1], int) and value.shape[1] != channels:
            raise ModelError(
                f"{path}: the network's {what} has {value.shape[1]} channels and its card names {channels}. "
                "Export the model again."
            )
    name: str = inputs[0].name
    return name

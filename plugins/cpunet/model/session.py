"""Open an ONNX model with onnxruntime once a process, and run it; the only file that needs onnxruntime."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import DeviceError, ModelError, OutOfMemoryError, RuntimeMissingError
from cpunet.model.card import ModelCard
from cpunet.model.fits_card import check_fits_card
from cpunet.model.out_of_memory import is_out_of_memory
from cpunet.model.packages import PYTHON_VERSION, add_bundled_packages, packages_folder_of_this_python
from cpunet.model.without_card import has_card
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.onnx_reader.safety import check_onnx

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


@dataclass(frozen=True)
class OnnxModel:
    """A model that is open and ready.

    Attributes
    ----------
    path : Path
    card : ModelCard
    sha256 : str
        Of the file as it was opened, hexadecimal.
    """

    path: Path
    card: ModelCard
    sha256: str
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
        OutOfMemoryError
            If the memory is too small for the batch.
        ModelError
            If onnxruntime fails otherwise, or returns another shape than the card promises.
        """
        expected = (batch.shape[0], len(self.card.output.roles), *batch.shape[2:])
        try:
            result = np.asarray(self._session.run(None, {self._input_name: batch})[0])
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            if is_out_of_memory(error):
                raise OutOfMemoryError(
                    f"{self.path}: the memory is too small for the network on an input of shape {batch.shape}: {error}",
                    batch.shape,
                ) from error
            raise ModelError(f"{self.path}: the network failed on an input of shape {batch.shape}: {error}") from error
        if result.shape != expected:
            raise ModelError(
                f"{self.path}: the network returned the shape {result.shape}; its card promises {expected}, one "
                f"channel each for {', '.join(self.card.output.roles)}. Export the model again."
            )
        return result.astype(np.float32, copy=False)


# By file, device and threads: what the network was opened from and with, and the network.
_open_models: Dict[Tuple[str, str, int], Tuple[Tuple[Optional[int], ...], OnnxModel]] = {}


def load_model(
    path: Path,
    device: str = "automatic",
    threads: int = 0,
    card: Optional[ModelCard] = None,
    gpu_memory_bytes: Optional[int] = None,
) -> OnnxModel:
    """Open a model, or return the one that this process has open already.

    Parameters
    ----------
    path : Path
        An ONNX file.
    device : str
        ``automatic`` (CUDA where a session really gets it, otherwise the CPU), ``cpu`` or ``cuda``.
    threads : int
        On the CPU; 0 uses all cores.
    card : ModelCard, optional
        For a file that carries none, such as `cpunet.model.without_card.card_of_answers` makes. A file's own card
        takes precedence.
    gpu_memory_bytes : int, optional
        The most that onnxruntime may take of the GPU's memory for the network's data; CUDA's own needs, some
        hundred MiB, come on top. All there is by default.

    Returns
    -------
    OnnxModel
        The same object for the same arguments, until the file changes on disk. Another card or limit takes the place
        of the one before, so that no network is held twice.

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
    card = read_card(path) if card is None or has_card(path) else card
    limit = None if device == "cpu" else gpu_memory_bytes
    status = path.stat()
    state = (status.st_mtime_ns, status.st_size, limit)
    key = (str(path), device, threads)
    if key not in _open_models or _open_models[key][0] != state:
        _open_models.pop(key, None)  # the file was replaced: let go of the network that it held
        _open_models[key] = (state, _open(path, card, device, threads, limit))
    model = _open_models[key][1]
    if model.card != card:  # the user answered otherwise for a file without a card
        check_fits_card(path, card, model._session)
        model = replace(model, card=card)
        _open_models[key] = (state, model)
    return model


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


def _open(path: Path, card: ModelCard, device: str, threads: int, gpu_memory_bytes: Optional[int]) -> OnnxModel:
    check_onnx(path)  # nothing of the file reaches onnxruntime before
    digest = sha256(path)
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
            str(path), sess_options=options, providers=_providers(wants_cuda, gpu_memory_bytes)
        )
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        if is_out_of_memory(error):
            raise OutOfMemoryError(f"{path}: the memory is too small to open this model: {error}") from error
        raise ModelError(f"{path}: onnxruntime {onnxruntime.__version__} cannot open this model: {error}") from error
    if device == "cuda":
        session.disable_fallback()  # onnxruntime would go on, unasked, on the CPU
    model = OnnxModel(path, card, digest, session, check_fits_card(path, card, session))
    if device == "cuda" and model.provider != CUDA:
        raise DeviceError(
            f"CUDA was asked for, but the session runs on {model.provider}: the CUDA or cuDNN libraries that "
            f"onnxruntime {onnxruntime.__version__} needs were not found. Choose the device Automatic or CPU, or "
            "install them."
        )
    return model


def _providers(wants_cuda: bool, gpu_memory_bytes: Optional[int]) -> List[Any]:
    if not wants_cuda:
        return [CPU]
    if gpu_memory_bytes is None:
        return [CUDA, CPU]
    # By default onnxruntime takes twice as much each time that it needs more, and so reaches its limit early.
    limits = {"gpu_mem_limit": str(gpu_memory_bytes), "arena_extend_strategy": "kSameAsRequested"}
    return [(CUDA, limits), CPU]

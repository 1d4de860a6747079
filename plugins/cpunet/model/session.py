"""Open an ONNX model with onnxruntime, once in each process, and run it; the only file that needs onnxruntime."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.cores import threads_within_limits
from cpunet.errors import DeviceError, ModelError, OutOfMemoryError, RuntimeMissingError
from cpunet.model.axes import round_up
from cpunet.model.card import INSTANCES, METADATA_KEY, InputCard, ModelCard
from cpunet.model.first_opening.first_run import run_once
from cpunet.model.first_opening.in_child import try_in_child
from cpunet.model.first_opening.trust import is_trusted, remember
from cpunet.model.fits_card import check_fits_card
from cpunet.model.instances import OUTPUTS, Instances, checked_instances
from cpunet.model.out_of_memory import is_out_of_memory
from cpunet.model.packages import (
    PYTHON_VERSION,
    add_bundled_packages,
    packages_folder_of_this_python,
    place_of_onnxruntime,
)
from cpunet.model.probabilities import checked_probabilities
from cpunet.model.session_threads import SessionThreads, threads_at_opening
from cpunet.onnx_reader.bounds import check_needs, follow
from cpunet.onnx_reader.metadata import card_in, metadata_of
from cpunet.onnx_reader.model_file import FileState, ModelFile, read_model_file, state_of
from cpunet.onnx_reader.safety import check_onnx, listed_network, usual_shape
from cpunet.onnx_reader.structure import Network

DEVICES = ("automatic", "cpu", "cuda")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
LEAST_SIDE, LEAST_PLANES = 64, 8
INSTALL_COMMAND = (
    # The installed application cannot install anything by itself; any other Python can install for it.
    "python -m pip install --no-deps --only-binary=:all: "
    f'--python-version {PYTHON_VERSION} --target "{packages_folder_of_this_python()}" onnxruntime==1.19.2'
    if getattr(sys, "frozen", False)
    else f'"{sys.executable}" -m pip install onnxruntime   (or onnxruntime-gpu for an NVIDIA GPU)'
)
INSTALL_HELP = (
    "onnxruntime, the package that runs the network, cannot be loaded. Install it, then start CellProfiler again: "
    + INSTALL_COMMAND
)
# pip leaves a copy that it takes for installed as it is, and CellProfiler's own packages must keep their versions.
REINSTALL_COMMAND = INSTALL_COMMAND.replace(
    "pip install ", f"pip install --force-reinstall {'--upgrade' if '--target' in INSTALL_COMMAND else '--no-deps'} "
)


@dataclass(frozen=True)
class OnnxModel:
    """A model that is open and ready.

    Attributes
    ----------
    path : Path
    card : ModelCard
    sha256 : str
        Of the bytes that were checked and opened, hexadecimal.
    """

    path: Path
    card: ModelCard
    sha256: str
    _state: FileState
    _session: Any
    _input_name: str
    _network: Network
    _options: Any = field(default=None, compare=False)
    _threads: Optional[SessionThreads] = field(default=None, compare=False)
    _shapes: Set[Tuple[int, ...]] = field(default_factory=set, compare=False)
    _bytes: Dict[Tuple[int, ...], int] = field(default_factory=dict, compare=False)
    _one_at_a_time: bool = False

    @property
    def provider(self) -> str:
        """The onnxruntime provider that the session really runs on, which may not be the one asked for."""
        name: str = (self._session.get_providers() or [CPU])[0]
        return name

    def start_anew(self) -> None:
        """Give back all memory that the session holds, and open the same network again.

        A session keeps what it once took, also where a run failed for lack of memory. So what would fit into the memory
        of a new session need not fit beside that.

        Raises
        ------
        OutOfMemoryError
            If the memory does not even hold the network; the next prediction tries to open it again.
        """
        # A session that could not be opened again has lost its providers.
        providers, options = self._session.get_providers() or [CPU], self._session.get_provider_options() or {}
        try:
            # onnxruntime frees the old session first.
            self._session.set_providers(providers, [options.get(name, {}) for name in providers])
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            if is_out_of_memory(error):
                raise OutOfMemoryError(f"{self.path}: the memory is too small to open this model: {error}") from error
            raise ModelError(f"{self.path}: onnxruntime cannot open this model again: {error}") from error

    @property
    def smallest_shape(self) -> Tuple[int, ...]:
        """The shape of the smallest input that the network takes: (N, C, Y, X), or (N, C, Z, Y, X) of volumes.

        It is at least 64 pixels wide and 8 planes deep, if it may be.
        """
        given = self.card.input
        return usual_shape(self._network, len(given.channels), smallest_side(given), smallest_depth(given))

    def _check_needs(self, shape: Tuple[int, ...]) -> None:
        """Refuse an input for which the network would take too much memory or time; once for each shape."""
        if shape in self._shapes:
            return
        try:
            check_needs(self._network, shape)
        except ModelError as error:
            error.args = (f"{self.path}: {error}",)
            raise
        self._shapes.add(shape)

    def needed_bytes(self, shape: Tuple[int, ...]) -> int:
        """Compute what the intermediate values take for an input of this shape, bytes; onnxruntime takes somewhat more.

        Raises ModelError if the network cannot be followed.
        """
        if shape not in self._bytes:
            self._bytes[shape] = follow(self._network, shape).needs.bytes
        return self._bytes[shape]

    def file_has_changed(self) -> bool:
        """Return True if the file holds something else by now, or is gone; the open network stays as it is."""
        try:
            return state_of(self.path) != self._state and read_model_file(self.path).sha256 != self.sha256
        except (ModelError, OSError):
            return True

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network.

        Parameters
        ----------
        batch : ndarray of shape (N, C, Y, X), or (N, C, Z, Y, X) for a network of volumes, float32

        Returns
        -------
        ndarray of shape (N, roles, Y, X) or (N, roles, Z, Y, X), float32
            Probabilities, 0..1. A network whose batch is fixed to 1 runs once for each image.

        Raises
        ------
        OutOfMemoryError
            If the memory is too small for the batch.
        ModelError
            If onnxruntime fails otherwise, or returns another shape than the card promises or values that are no
            probabilities.
        """
        if self.card.output.kind == INSTANCES:
            raise ModelError(
                f"{self.path}: this model gives objects and no probabilities, which this step needs. Choose a model "
                "that gives probabilities."
            )
        if self._one_at_a_time and len(batch) > 1:
            return np.concatenate([self.predict(batch[place : place + 1]) for place in range(len(batch))])
        expected = (batch.shape[0], len(self.card.output.roles), *batch.shape[2:])
        result = np.asarray(self._run(batch, None)[0])
        if result.shape != expected:
            raise ModelError(
                f"{self.path}: the network returned the shape {result.shape}; its card promises {expected}, one "
                f"channel each for {', '.join(self.card.output.roles)}. Export the model again."
            )
        return checked_probabilities(result.astype(np.float32, copy=False), self.card.output.roles, str(self.path))

    def find_instances(self, image: npt.NDArray[np.float32]) -> Instances:
        """Run a network that gives objects.

        Parameters
        ----------
        image : ndarray of shape (1, C, Y, X), float32

        Returns
        -------
        Instances

        Raises
        ------
        OutOfMemoryError
            If the memory is too small for the image.
        ModelError
            If onnxruntime fails otherwise, or the network returns something else than its card promises.
        """
        outputs = self._run(image, list(OUTPUTS))
        return checked_instances(outputs, image.shape, self.card.postprocessing.max_objects, str(self.path))

    def _run(self, batch: npt.NDArray[np.float32], outputs: Optional[List[str]]) -> List[Any]:
        """Return the outputs of these names, or all, after the input's needs were checked."""
        self._check_needs(batch.shape)
        if self._threads is not None and self._threads.change():
            self._options.intra_op_num_threads = self._threads.count
            self.start_anew()  # takes about 10 ms
        if getattr(self._session, "_sess", self) is None:  # it could not be opened again, see `start_anew`
            self.start_anew()
        try:
            found: List[Any] = self._session.run(outputs, {self._input_name: batch})
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            if is_out_of_memory(error):
                raise OutOfMemoryError(
                    f"{self.path}: the memory is too small for the network on an input of shape {batch.shape}: {error}",
                    batch.shape,
                ) from error
            raise ModelError(f"{self.path}: the network failed on an input of shape {batch.shape}: {error}") from error
        return found


class _Opened(NamedTuple):
    """A model that this process has open, its limit of memory, and whether its card is the file's own."""

    model: OnnxModel
    limit: Optional[int]
    has_own_card: bool


# By file, device and threads.
_open_models: Dict[Tuple[str, str, int], _Opened] = {}


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
    device, threads, card, gpu_memory_bytes
        See `open_model`.

    Returns
    -------
    OnnxModel
        The same object for the same arguments, until the file changes on disk.

    Raises
    ------
    ModelError
        If the file cannot be used; and the errors of `open_model`.
    """
    path = Path(path).resolve()
    limit = None if device == "cpu" else gpu_memory_bytes
    opened = _open_models.get((str(path), device, threads))
    if opened is not None and opened.limit == limit and (opened.has_own_card or opened.model.card == card):
        with contextlib.suppress(OSError):
            if state_of(path) == opened.model._state:
                return opened.model
    return open_model(read_model_file(path), device, threads, card, gpu_memory_bytes)


def open_model(
    file: ModelFile,
    device: str = "automatic",
    threads: int = 0,
    card: Optional[ModelCard] = None,
    gpu_memory_bytes: Optional[int] = None,
) -> OnnxModel:
    """Check the bytes of a model file, and open those very bytes.

    Parameters
    ----------
    file : ModelFile
    device : str
        ``automatic`` (CUDA where a session really gets it, otherwise the CPU), ``cpu`` or ``cuda``.
    threads : int
        On the CPU; more than the cores that this process may use are never used. 0: as many as other programs leave
        free, which is looked at again from time to time. The result is the same to the bit.
    card : ModelCard, optional
        For a file without one, such as `cpunet.model.without_card.card_of_answers` gives. A file's own card takes
        precedence.
    gpu_memory_bytes : int, optional
        The most that onnxruntime may take of the GPU's memory for the network's data; CUDA itself needs some hundred
        MiB more. No limit by default.

    Returns
    -------
    OnnxModel
        With the session that this process has open for the same bytes, if it has one. A new card or limit, or other
        content of the file, replaces the old one, so that no network is in memory twice.

    Raises
    ------
    ModelError
        If the file cannot be used.
    RuntimeMissingError
        If onnxruntime is not installed.
    DeviceError
        If ``cuda`` was asked for and the session did not get it, or there is no such device.
    """
    if device not in DEVICES:
        raise DeviceError(f"There is no device {device!r}; the devices are {', '.join(DEVICES)}.")
    metadata = metadata_of(file)
    has_own_card = METADATA_KEY in metadata
    if card is None or has_own_card:
        card = card_in(file.path, metadata)
    limit = None if device == "cpu" else gpu_memory_bytes
    key = (str(file.path), device, threads)
    opened = _open_models.get(key)
    if opened is not None and (opened.model.sha256, opened.limit) == (file.sha256, limit):
        model = opened.model
        if model.card != card:  # the user changed the description of a file without a card
            check_fits_card(file.path, card, model._session)
        if (model.card, model._state) != (card, file.state):
            model = replace(model, card=card, _state=file.state)
    else:
        opened = None
        _open_models.pop(key, None)  # frees the old network before the new one is opened
        model = _open(file, card, device, threads, limit)
    _open_models[key] = _Opened(model, limit, has_own_card)
    return model


def import_onnxruntime() -> Any:
    """Import onnxruntime, from the plugin's own folder if Python has none; RuntimeMissingError if that fails."""
    add_bundled_packages()
    try:
        import onnxruntime
    except Exception as error:  # a broken copy fails with almost any error
        raise RuntimeMissingError(f"{install_help()} ({type(error).__name__}: {error})") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        # Python takes any folder of this name, such as one that an uninstallation left, for a package.
        sys.modules.pop("onnxruntime")
        raise RuntimeMissingError(install_help())
    return onnxruntime


def install_help() -> str:
    """Say how to install onnxruntime where it cannot be loaded: anew, if there is a broken copy of it."""
    broken = place_of_onnxruntime()
    if broken is None:
        return INSTALL_HELP
    return (
        "onnxruntime, the package that runs the network, cannot be loaded, because the copy of it in "
        f"{broken} is broken. Remove that, install it anew, then start CellProfiler again: {REINSTALL_COMMAND}"
    )


def _open(file: ModelFile, card: ModelCard, device: str, threads: int, gpu_memory_bytes: Optional[int]) -> OnnxModel:
    """Check and open a file; if this user has not opened it before, in a process of its own first."""
    if is_trusted(file.sha256):
        return open_session(file, card, device, threads, gpu_memory_bytes)
    check_onnx(file, len(card.input.channels), smallest_side(card.input), smallest_depth(card.input))
    import_onnxruntime()  # the first of all errors, since a child could do nothing either
    tried = try_in_child(file, card)
    model = open_session(file, card, device, threads, gpu_memory_bytes)
    if not tried:  # what is left without a child: the list of operators, and the test of what it computes
        run_once(file, model, model.smallest_shape)
    remember(file.sha256)
    return model


def open_session(
    file: ModelFile, card: ModelCard, device: str, threads: int = 0, gpu_memory_bytes: Optional[int] = None
) -> OnnxModel:
    """Check the bytes of a model file and open them with onnxruntime in this process; see `open_model`.

    The memory and work that it needs are computed before each size of tile is run.
    """
    path = file.path
    network = listed_network(file)  # before onnxruntime reads anything of the file
    onnxruntime = import_onnxruntime()
    wants_cuda = device != "cpu" and CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not wants_cuda:
        raise DeviceError(
            "CUDA was asked for, but this onnxruntime has no GPU support. Install onnxruntime-gpu instead of "
            "onnxruntime, or choose the device Automatic or CPU."
        )
    if wants_cuda and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    options = onnxruntime.SessionOptions()
    adapting = None if threads or wants_cuda else threads_at_opening()
    options.intra_op_num_threads = threads_within_limits(threads) if adapting is None else adapting.count
    # Between two tiles the cores belong to the steps before and after the network, and to other programs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # A plan of the memory for each size of tile comes on top of what the first run took: twice as much, and no faster.
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # failures reach the user once, as our exceptions
    # Read the bytes in the format that was checked: onnxruntime would take some for another format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(
            file.content, sess_options=options, providers=_providers(wants_cuda, gpu_memory_bytes)
        )
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        if is_out_of_memory(error):
            raise OutOfMemoryError(f"{path}: the memory is too small to open this model: {error}") from error
        raise ModelError(f"{path}: onnxruntime {onnxruntime.__version__} cannot open this model: {error}") from error
    if device == "cuda":
        session.disable_fallback()  # otherwise onnxruntime goes on with the CPU
    input_name = check_fits_card(path, card, session)
    one_at_a_time = session.get_inputs()[0].shape[0] == 1
    model = OnnxModel(path, card, file.sha256, file.state, session, input_name, network, options, adapting)
    model = replace(model, _one_at_a_time=one_at_a_time)
    if device == "cuda" and model.provider != CUDA:
        raise DeviceError(
            f"CUDA was asked for, but the session runs on {model.provider}: the CUDA or cuDNN libraries that "
            f"onnxruntime {onnxruntime.__version__} needs were not found. Choose the device Automatic or CPU, or "
            "install them."
        )
    return model


def smallest_side(given: InputCard) -> int:
    """Return the side, pixels, of the smallest square that a network takes and that is no stamp of an image."""
    return round_up(max(given.min_size, LEAST_SIDE), given.divisible_by)


def smallest_depth(given: InputCard) -> int:
    """Return the planes of the smallest volume that a network takes and that is no thin slice of one."""
    return round_up(max(given.min_planes, LEAST_PLANES), given.divisible_by_planes)


def _providers(wants_cuda: bool, gpu_memory_bytes: Optional[int]) -> List[Any]:
    if not wants_cuda:
        return [CPU]
    if gpu_memory_bytes is None:
        return [CUDA, CPU]
    # By default onnxruntime doubles what it takes each time that it needs more, and so reaches its limit early.
    limits = {"gpu_mem_limit": str(gpu_memory_bytes), "arena_extend_strategy": "kSameAsRequested"}
    return [(CUDA, limits), CPU]

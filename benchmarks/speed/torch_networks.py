"""Time the network alone: onnxruntime, and torch with the same weights, eager and compiled, in several number types.

Needs torch. Where there is an NVIDIA GPU, it is measured as well.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch

from benchmarks.in_turns import seconds_in_turns
from benchmarks.speed.bound import in_a_process
from benchmarks.speed.fields import Wanted, make_fields
from benchmarks.speed.series import SECONDS, Series
from benchmarks.speed.share_of_limit import ON_GPU
from cpunet.model.find import find_model
from cpunet.model.session import CPU, CUDA, OnnxModel, load_model
from cpunet.steps.prepare import normalize
from cpunet.steps.tiling import mirror_to_size

PART = "networks"
DIFFERENCE = "largest difference"
CHANNELS_LAST = "channels last"
Action = Callable[[], np.ndarray]


class Variant(NamedTuple):
    """A way to run the network with torch."""

    number_type: torch.dtype
    channels_last: bool
    compiled: bool

    @property
    def name(self) -> str:
        """How tables call it, without its number type."""
        layout = f", {CHANNELS_LAST}" if self.channels_last else ""
        return f"torch {'compiled' if self.compiled else 'eager'}{layout}"


ON_CPU = (
    Variant(torch.float32, False, False),
    Variant(torch.float32, True, False),
    Variant(torch.float32, True, True),
    Variant(torch.bfloat16, True, False),
    Variant(torch.bfloat16, True, True),
)
VARIANTS_OF_GPU = (
    Variant(torch.float32, False, False),
    Variant(torch.float16, True, False),
    Variant(torch.float16, True, True),
)
NUMBER_TYPES = {torch.float32: "float32", torch.bfloat16: "bf16", torch.float16: "float16"}


class Timed(NamedTuple):
    """Series, and sentences about what could not be run."""

    series: List[Series]
    left_out: List[str]


def time_networks(
    wanted: Sequence[Wanted], cores: Sequence[int], model: str, int8_model: Optional[str], rounds: int
) -> Timed:
    """Time all variants on each kind of field, in a process of its own for each number of cores."""
    found = [
        in_a_process(number, time_in_this_process, each, number, model, int8_model, rounds, ON_CPU)
        for each in wanted
        for number in cores
    ]
    series = [each for timed in found for each in timed.series]
    return Timed(series, sorted({reason for timed in found for reason in timed.left_out}))


def time_in_this_process(
    wanted: Wanted,
    cores: int,
    model_name: str,
    int8_model: Optional[str],
    rounds: int,
    variants: Sequence[Variant],
) -> Timed:
    """Time all variants in turns on the first of the fields, prepared and in one piece.

    A variant that fails is left out with its reason. Each result is compared with onnxruntime's in float32.
    """
    torch.set_num_threads(cores)
    opened = {"float32": load_model(find_model(model_name), "cpu")}
    if int8_model is not None:
        opened["int8"] = load_model(find_model(int8_model), "cpu")
    image = network_input(wanted, opened["float32"])
    actions: Dict[Tuple[str, str], Action] = {
        ("onnxruntime", kind): _with_onnxruntime(model, image) for kind, model in opened.items()
    }
    left_out = []
    devices = [("cpu", variants)]
    if torch.cuda.is_available():
        devices.append(("cuda", VARIANTS_OF_GPU))
        gpu = load_model(find_model(model_name), "automatic")
        if gpu.provider == CUDA:
            actions[f"onnxruntime{ON_GPU}", "float32"] = _with_onnxruntime(gpu, image)
        else:
            left_out.append(f"onnxruntime on the GPU: the session runs on {gpu.provider}.")
    for device, of_device in devices:
        for variant in of_device:
            key = variant.name + (ON_GPU if device == "cuda" else ""), NUMBER_TYPES[variant.number_type]
            try:
                run = _with_torch(model_name, variant, device, image)
                run()
            except Exception as error:  # a compiler that is missing, or a kernel that this processor lacks
                left_out.append(f"{key[0]}, {key[1]}: {type(error).__name__}: {str(error).splitlines()[0][:200]}")
            else:
                actions[key] = run
    expected = actions["onnxruntime", "float32"]()
    differences = {key: float(np.abs(run() - expected).max()) for key, run in actions.items()}
    seconds = seconds_in_turns({" ".join(key): run for key, run in actions.items()}, rounds)
    series = []
    for (method, kind), difference in differences.items():
        taken = tuple(seconds[f"{method} {kind}"])
        series.append(Series(PART, wanted.name, cores, method, SECONDS, taken, kind))
        series.append(Series(PART, wanted.name, cores, method, DIFFERENCE, (difference,), kind))
    return Timed(series, left_out)


def network_input(wanted: Wanted, model: OnnxModel) -> np.ndarray:
    """Return the first of the fields, normalized and mirrored to a size that the network takes: (1, C, Y, X)."""
    card = model.card.input
    image = make_fields(wanted._replace(count=1))[0].image
    channels = np.repeat(normalize(image[np.newaxis], card.normalization), len(card.channels), axis=0)
    padded, _ = mirror_to_size(channels, card.divisible_by, card.min_size)
    return np.ascontiguousarray(padded[np.newaxis])


def _with_onnxruntime(model: OnnxModel, image: np.ndarray) -> Action:
    assert model.provider in (CPU, CUDA)
    return lambda: model.predict(image)


def _with_torch(model_name: str, variant: Variant, device: str, image: np.ndarray) -> Action:
    # Here, after torch: cpunet.training has its threads wait passively, which would slow torch on an idle machine.
    from cpunet.training.network.unet import probabilities_of
    from cpunet.training.weights import WEIGHTS_FILE, load_trained

    trained = load_trained(find_model(model_name).with_name(WEIGHTS_FILE))
    activation = trained.config.targets.activation
    network: Any = trained.network.to(device, variant.number_type)
    layout = torch.channels_last if variant.channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    given = torch.from_numpy(image).to(device, variant.number_type).contiguous(memory_format=layout)
    if variant.compiled:
        network = torch.compile(network)

    def run() -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = probabilities_of(network(given), activation).float().cpu().numpy()
            return found

    return run

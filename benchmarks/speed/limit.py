"""The machine's limits: how fast it multiplies matrices in each number type, and moves bytes; and what networks need.

Needs torch and onnx.
"""

from functools import partial
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

from benchmarks.in_turns import seconds_in_turns
from benchmarks.speed.bound import in_a_process
from benchmarks.speed.cost import cost_of
from benchmarks.speed.series import Series
from benchmarks.speed.share_of_limit import BANDWIDTH, BYTES_A_PIXEL, MACS_A_PIXEL, ON_GPU, RATE
from cpunet.model.find import find_model

PART = "limit"
COPY = "copy of memory"
# What a pixel costs depends little on the size; at this one, padding counts for nothing.
COUNTED_SHAPE = (2048, 2048)
# Products of this many rows are as fast as larger ones, and take a fraction of a second.
SIDES = (1024, 2048)
GPU_SIDE = 8192
# Several times the cache of a server, so that all bytes come from memory.
COPIED_BYTES = 2**30


def measure_limits(
    cores: Sequence[int],
    models: Sequence[str],
    rounds: int,
    sides: Sequence[int] = SIDES,
    copied_bytes: int = COPIED_BYTES,
) -> List[Series]:
    """Measure the rates of each number of cores, and count what each model needs."""
    series = [
        each
        for number in cores
        for each in in_a_process(number, rates_here, number, rounds, tuple(sides), copied_bytes)
    ]
    for name in models:
        cost = cost_of(find_model(name), COUNTED_SHAPE)
        pixels = COUNTED_SHAPE[0] * COUNTED_SHAPE[1]
        series.append(Series(PART, "", 0, name, MACS_A_PIXEL, (cost.macs / pixels,), cost.number_type))
        series.append(Series(PART, "", 0, name, BYTES_A_PIXEL, (cost.bytes / pixels,), cost.number_type))
    return series


def rates_here(cores: int, rounds: int, sides: Tuple[int, ...], copied_bytes: int) -> List[Series]:
    """Measure the rates of this process: products of square matrices, and a copy."""
    torch.set_num_threads(cores)
    series = []
    for side in sides:
        actions = {**_products_of_torch(side), **_products_of_onnxruntime(side, cores)}
        seconds = seconds_in_turns({f"{library} {kind}": run for (library, kind), run in actions.items()}, rounds)
        for library, kind in actions:
            rates = tuple(side**3 / each / 1e9 for each in seconds[f"{library} {kind}"])
            series.append(Series(PART, f"{side}x{side}", cores, library, RATE, rates, kind))
    if torch.cuda.is_available():
        series += gpu_rates(cores, rounds)
    source = torch.ones(copied_bytes // 2, dtype=torch.uint8)
    target = torch.empty_like(source)
    seconds = seconds_in_turns({COPY: lambda: target.copy_(source)}, rounds)
    moved = 2 * source.numel()  # read and written
    series.append(Series(PART, "", cores, COPY, BANDWIDTH, tuple(moved / each / 1e9 for each in seconds[COPY])))
    return series


def gpu_rates(cores: int, rounds: int) -> List[Series]:
    """Measure the rates of the first GPU, whose matrices must be larger to keep it busy."""
    series = []
    for kind, number_type in (("float32", torch.float32), ("float16", torch.float16), ("bf16", torch.bfloat16)):
        left = torch.rand(GPU_SIDE, GPU_SIDE, device="cuda", dtype=number_type)
        seconds = seconds_in_turns({kind: partial(_finished, partial(torch.mm, left, left))}, rounds)
        rates = tuple(GPU_SIDE**3 / each / 1e9 for each in seconds[kind])
        series.append(Series(PART, f"{GPU_SIDE}x{GPU_SIDE}", cores, f"torch{ON_GPU}", RATE, rates, kind))
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    seconds = seconds_in_turns({COPY: partial(_finished, lambda: target.copy_(source))}, rounds)
    moved = tuple(2 * source.numel() / each / 1e9 for each in seconds[COPY])
    return [*series, Series(PART, "", cores, f"{COPY}{ON_GPU}", BANDWIDTH, moved)]


def _finished(action: Callable[[], Any]) -> None:
    action()
    torch.cuda.synchronize()


def _products_of_torch(side: int) -> Dict[Tuple[str, str], Callable[[], Any]]:
    floats = torch.rand(side, side), torch.rand(side, side)
    halves = tuple(each.bfloat16() for each in floats)
    bytes_ = tuple((each * 100).to(torch.int8) for each in floats)
    return {
        ("torch", "float32"): partial(torch.mm, *floats),
        ("torch", "bf16"): partial(torch.mm, *halves),
        ("torch", "int8"): partial(torch._int_mm, *bytes_),
    }


def _products_of_onnxruntime(side: int, cores: int) -> Dict[Tuple[str, str], Callable[[], Any]]:
    rng = np.random.default_rng(0)
    floats = rng.random((side, side), dtype=np.float32)
    unsigned, signed = rng.integers(0, 255, (side, side), np.uint8), rng.integers(-64, 64, (side, side), np.int8)
    return {
        ("onnxruntime", "float32"): _product("MatMul", floats, floats, TensorProto.FLOAT, cores),
        ("onnxruntime", "int8"): _product("MatMulInteger", unsigned, signed, TensorProto.INT32, cores),
    }


def _product(operator: str, left: np.ndarray, right: np.ndarray, result_type: int, cores: int) -> Callable[[], Any]:
    """Return a function that multiplies with onnxruntime; the right matrix is fixed, as weights are."""
    side = len(left)
    kinds = {np.float32: TensorProto.FLOAT, np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", kinds[left.dtype.type], (side, side))],
        [helper.make_tensor_value_info("product", result_type, (side, side))],
        [helper.make_tensor("right", kinds[right.dtype.type], right.shape, right.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return partial(session.run, None, {"left": left})

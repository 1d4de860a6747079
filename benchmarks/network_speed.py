"""Time the network alone: number formats, threads and spinning, by itself, on every core, and beside a busy program.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.network_speed [--shapes 520x696 2048x2048] [--rounds 5]

Each cell is the median of the rounds, with the smallest and the largest. All ways to run take turns within a round. The
share of the limit is that of the multiply-accumulates of the convolutions, over the image's own pixels, in what the
machine does of products of large matrices in the same format with as many threads (of all processes together).
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from benchmarks.markdown import header, row
from benchmarks.matrix_rate import multiply_accumulates_a_second
from cpunet.cores import cores_allowed
from cpunet.model.find import find_model
from cpunet.model.session import import_onnxruntime, load_model
from cpunet.onnx_reader.bounds import follow
from cpunet.steps.predict import predict_in_tiles

MODELS = {"float32": "nuclei_fluorescence", "int8": "nuclei_fluorescence_int8"}
SHAPES = ("520x696", "1080x1080", "2048x2048")
ALONE, FULL, BESIDE = "alone", "one for each core", "beside a busy program"
AS_MODULE = "as the module"
COLUMNS = (
    "image",
    "format",
    "place",
    "threads",
    "spin",
    "images a second",
    "CPU seconds an image",
    "share of the limit",
)


class Way(NamedTuple):
    """One way to run the network; `threads` is a number, or how the module chooses it."""

    shape: str
    kind: str
    place: str
    threads: str
    spin: str


class Measured(NamedTuple):
    """Of one round: images a second of all processes together, and the CPU time of each image."""

    rate: float
    cpu_seconds: float


def ways(shapes: Sequence[str]) -> Iterator[Way]:
    """Yield all ways to run. One thread never waits for another, so it never spins."""
    most = cores_allowed()
    choices = [("1", "")] + ([(str(most), spin) for spin in ("on", "off")] if most > 1 else []) + [(AS_MODULE, "")]
    for shape, kind, place, (threads, spin) in itertools.product(shapes, MODELS, (ALONE, FULL, BESIDE), choices):
        yield Way(shape, kind, place, threads, spin)


def measure(way: Way, seconds: float) -> Measured:
    """Run the network in as many processes as the place asks for."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.network_speed",
        "--child",
        json.dumps(way),
        str(seconds),
    ]
    count = cores_allowed() if way.place == FULL else 1
    pipes: Dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if way.place == BESIDE else None
    children = [subprocess.Popen(command, **pipes) for _ in range(count)]
    try:
        for child in children:
            child.stdout.readline()  # it is ready
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        found = [json.loads(child.stdout.readline()) for child in children]
    finally:
        for child in (*children, *([busy] if busy else [])):
            child.kill()
            child.wait()
    images = sum(each["images"] for each in found)
    return Measured(
        sum(each["images"] / each["seconds"] for each in found), sum(each["cpu_seconds"] for each in found) / images
    )


def child(way: Way, seconds: float) -> None:
    """Warm up, wait for the word to go, and run for some seconds; at least three images."""
    image = np.random.default_rng(0).random((1, *_size(way.shape)), np.float32)
    model = load_model(find_model(MODELS[way.kind]), "cpu", 0 if way.threads == AS_MODULE else int(way.threads))
    if way.spin == "off":
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.enable_mem_pattern = int(way.threads), False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(model.path.read_bytes(), options, providers=["CPUExecutionProvider"])
        model = replace(model, _session=session)
    # The module looks once a second how busy the others are: it has settled before it is timed.
    warm = time.perf_counter() + (2.5 if way.threads == AS_MODULE else 0.3)
    while True:
        predict_in_tiles(image, model)
        if time.perf_counter() > warm:
            break
    print("ready", flush=True)
    sys.stdin.readline()
    images, begun, cpu = 0, time.perf_counter(), time.process_time()
    while images < 3 or time.perf_counter() - begun < seconds:
        predict_in_tiles(image, model)
        images += 1
    taken = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({"images": images, **taken}), flush=True)
    sys.stdin.readline()  # the others are still being timed


def multiply_accumulates_a_pixel(path: Path) -> float:
    """Count those of the convolutions of a network, for each pixel of its input."""
    side = 512
    network = load_model(path, "cpu", 1)._network
    values = follow(network, (1, 1, side, side)).values
    total = 0
    for node in network.nodes:
        if node.operator == "Conv":
            _, channels, height, width = values[node.inputs[1]].shape
            total += int(np.prod(values[node.outputs[0]].shape)) * channels * height * width
    return total / side**2


def _size(shape: str) -> Tuple[int, int]:
    height, width = shape.split("x")
    return int(height), int(width)


def _cell(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main(arguments: Sequence[str]) -> int:
    """Measure all ways in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="HEIGHTxWIDTH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each way in each round (3)")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(Way(*json.loads(options.child[0])), float(options.child[1]))
        return 0
    cores = cores_allowed()
    limits = {(kind, count): multiply_accumulates_a_second(kind, count) for kind in MODELS for count in {1, cores}}
    needed = {kind: multiply_accumulates_a_pixel(find_model(name)) for kind, name in MODELS.items()}
    print(f"{cores} cores of {os.cpu_count()}, onnxruntime {import_onnxruntime().__version__}\n")
    for (kind, count), limit in limits.items():
        print(f"{kind}, {count} threads: {limit / 1e9:.0f} G multiply-accumulates a second at most")
    print(f"for each pixel: {', '.join(f'{kind} {count:.0f}' for kind, count in needed.items())}\n")
    found: Dict[Way, List[Measured]] = {way: [] for way in ways(options.shapes)}
    for number in range(options.rounds):
        for way, measured in found.items():
            measured.append(measure(way, options.seconds))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    print(header(COLUMNS))
    for way, measured in found.items():
        rates = [each.rate for each in measured]
        limit = limits[way.kind, 1 if way.threads == "1" and way.place != FULL else cores]
        shares = [rate * needed[way.kind] * np.prod(_size(way.shape)) / limit for rate in rates]
        numbers = _cell(rates, ".2f"), _cell([each.cpu_seconds for each in measured], ".3f"), _cell(shares, ".2f")
        print(row([way.shape, way.kind, way.place, way.threads, way.spin, *numbers]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

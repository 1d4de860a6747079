"""Compare models of reduced precision with float32: size, speed in turns, mean F1 on validation images.

The variants are made in the training environment, and measured in each environment with its own onnxruntime:

    .venv/training/bin/python -m benchmarks.precision demo-output/precision --make data
    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.precision demo-output/precision --data data/bbbc039
    .venv/training/bin/python -m benchmarks.precision demo-output/precision
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Dict, Sequence

import numpy as np
import onnxruntime

from benchmarks.in_turns import median_seconds
from benchmarks.labeled_images import labeled_images
from benchmarks.markdown import header, row
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import OnnxModel, load_model
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image

FIELD, ROUNDS = (512, 704), 15  # height and width are multiples of what every network here needs


def make_variants(folder: Path, data: Path) -> None:
    """Write variants of the default model to a folder; the name of each file says how it differs from int8."""
    from onnxruntime.quantization import CalibrationMethod, QuantType

    from cpunet.export.precision import to_float16, to_int8
    from cpunet.export.reduced_precision import calibration_images
    from cpunet.onnx_reader.metadata import read_card
    from cpunet.training.weights import WEIGHTS_FILE, load_trained

    source = find_model(DEFAULT_MODEL)
    content = source.read_bytes()
    images = calibration_images(load_trained(source.with_name(WEIGHTS_FILE)), data, read_card(source))
    symmetric = {"ActivationSymmetric": True}
    percentile = {"calibrate_method": CalibrationMethod.Percentile}
    changes = {
        "int8": {},
        "int8, last convolution too": {"nodes_to_exclude": []},
        "int8, weights of 8 bits": {"reduce_range": False},
        "int8, percentile 99.9": {**percentile, "extra_options": {"CalibPercentile": 99.9}},
        "int8, percentile 99.99": {**percentile, "extra_options": {"CalibPercentile": 99.99}},
        "int8, entropy": {"calibrate_method": CalibrationMethod.Entropy},
        "int8, signed symmetric values": {"activation_type": QuantType.QInt8, "extra_options": symmetric},
        "int8, unsigned weights": {"weight_type": QuantType.QUInt8},
        "int8, convolutions alone": {"op_types_to_quantize": ["Conv"]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "float16.onnx").write_bytes(to_float16(content))
    for name, change in changes.items():
        (folder / f"{name}.onnx").write_bytes(to_int8(content, images, change))
        print(name, flush=True)


def mean_f1(model: OnnxModel, folder: Path, split: str) -> float:
    """Score a model with its default settings."""
    images = labeled_images(folder, split, "fluorescence")
    return pool_scores([score_image(each.labels, segment_image(each.image, model).labels) for each in images]).mean_f1


def main(arguments: Sequence[str]) -> int:
    """Make the variants, or measure them and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds the variants, *.onnx")
    parser.add_argument("--make", type=Path, metavar="ROOT", help="write the variants; ROOT holds the data sets")
    parser.add_argument("--data", nargs="*", type=Path, default=[], metavar="SET", help="sets to score them on")
    parser.add_argument("--split", default="val")
    parser.add_argument("--beside", nargs="*", type=Path, default=[], metavar="FILE", help="further models")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"take the median of so many runs ({ROUNDS})")
    options = parser.parse_args(arguments)
    if options.make:
        make_variants(options.folder, options.make)
        return 0
    files: Dict[str, Path] = {"float32": find_model(DEFAULT_MODEL)}
    files.update({path.stem: path for path in sorted(options.folder.glob("*.onnx"))})
    files.update({path.parent.name: path for path in options.beside})
    models = {name: load_model(path, device="cpu", threads=1) for name, path in files.items()}
    image = np.random.default_rng(0).random((1, 1, *FIELD), np.float32)
    seconds = median_seconds({name: partial(model.predict, image) for name, model in models.items()}, options.rounds)
    columns = ["variant", "MB", f"times as fast, onnxruntime {onnxruntime.__version__}"]
    print(header([*columns, *(f"mean F1, {folder.name} {options.split}" for folder in options.data)]))
    for name, model in models.items():
        scores = [f"{mean_f1(model, folder, options.split):.4f}" for folder in options.data]
        speed = seconds["float32"] / seconds[name]
        print(row([name, f"{files[name].stat().st_size / 1e6:.2f}", f"{speed:.2f}", *scores]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Measure the limit of a network on this machine: the multiply-accumulates a second of products of large matrices.

The model files are written byte by byte, since CellProfiler's environment has no onnx package.
"""

import time
from typing import Union

import numpy as np
import onnxruntime

SIDE = 1024
FLOAT, UINT8, INT8, INT32 = 1, 2, 3, 6
# Of a type of numbers: the operator, and the types of the first matrix, the second one and the product.
KINDS = {"float32": ("MatMul", FLOAT, FLOAT, FLOAT), "int8": ("MatMulInteger", UINT8, INT8, INT32)}


def multiply_accumulates_a_second(kind: str, threads: int, seconds: float = 2.0) -> float:
    """Return the best rate within some seconds, of matrices of 1024 x 1024 numbers.

    Parameters
    ----------
    kind : str
        ``float32``, or ``int8`` (unsigned by signed, as in a quantized network).
    threads : int
    seconds : float
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(product_of_matrices(kind), options, providers=["CPUExecutionProvider"])
    matrix = np.ones((SIDE, SIDE), np.float32 if kind == "float32" else np.uint8)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        session.run(None, {"a": matrix})
        best = max(best, SIDE**3 / (time.perf_counter() - begun))
    return best


def product_of_matrices(kind: str) -> bytes:
    """Return an ONNX file that multiplies a matrix by a constant one."""
    operator, first, second, product = KINDS[kind]
    constant = np.ones((SIDE, SIDE), np.float32 if second == FLOAT else np.int8)
    dims = _field(1, SIDE) + _field(1, SIDE)
    graph = _field(1, _field(1, "a") + _field(1, "b") + _field(2, "c") + _field(4, operator)) + _field(2, "product")
    graph += _field(5, dims + _field(2, second) + _field(8, "b") + _field(9, constant.tobytes()))
    graph += _field(11, _value("a", first)) + _field(12, _value("c", product))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))


def _value(name: str, kind: int) -> bytes:
    shape = _field(1, _field(1, SIDE)) + _field(1, _field(1, SIDE))
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _field(number: int, value: Union[int, str, bytes]) -> bytes:
    """Encode a field of protobuf: an int as a varint, everything else with its length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])

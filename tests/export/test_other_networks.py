"""Networks of other encoders and decoders become ONNX files like any other, also of whole numbers."""

import numpy as np
import onnx
import pytest

from cpunet.checks.verify import Reference, verify_model
from cpunet.export.export_model import export_model
from cpunet.export.precision import to_int8
from cpunet.export.torch_checks import torch_reference
from cpunet.model.session import load_model
from cpunet.training.weights import save_trained
from tests.random_network import random_network

NETWORKS = [
    {"encoder": "efficientnet_lite0", "decoder": "concatenating", "stem": "half"},
    {"encoder": "preactivation", "decoder": "fpn"},
]


@pytest.mark.parametrize("architecture", NETWORKS, ids=lambda architecture: architecture["encoder"])
def test_a_network_is_exported_verified_and_reduced(architecture, tmp_path):
    weights, model_file = tmp_path / "weights.safetensors", tmp_path / "float32" / "model.onnx"
    save_trained(weights, random_network(**architecture))
    export_model(weights, model_file)
    exported = onnx.load(model_file)
    assert exported.ir_version <= 8
    assert [(entry.domain, entry.version) for entry in exported.opset_import] == [("", 17)]
    operators = {node.op_type for node in exported.graph.node}
    assert "BatchNormalization" not in operators
    assert ("ConvTranspose" in operators) == (architecture.get("decoder") == "concatenating")
    reference = torch_reference(model_file)
    assert isinstance(reference, Reference)
    assert not [finding for finding in verify_model(model_file, reference) if not finding.passed]
    images = [np.random.default_rng(seed).random((1, 64, 64), np.float32) for seed in range(4)]
    small_file = tmp_path / "int8" / "model.onnx"
    small_file.parent.mkdir()
    small_file.write_bytes(to_int8(model_file.read_bytes(), images))
    assert not [finding for finding in verify_model(small_file) if not finding.passed]
    image = np.random.default_rng(9).random((1, 1, 64, 96), np.float32)
    expected, found = (load_model(path, "cpu").predict(image) for path in (model_file, small_file))
    assert expected.std() > 0.02
    assert 0 < np.abs(found - expected).mean() < 0.05
    reduced = onnx.load(small_file)
    read = {name for node in reduced.graph.node for name in node.input} | {each.name for each in reduced.graph.output}
    given = [name for node in reduced.graph.node for name in node.output]
    assert not [name for name in (*given, *(each.name for each in reduced.graph.initializer)) if name not in read]
    rounded = {tensor.name for tensor in reduced.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    convolutions = [node for node in exported.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len([name for name in rounded if "weight" in name or "Conv" in name]) >= len(convolutions) - 1

import numpy as np
import onnx
import pytest
import torch

from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.to_onnx import trace
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card


@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (3, 1, 20, 44)])
def test_onnxruntime_computes_what_torch_computes(exported, network, shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(load_model(exported).predict(image), expected, rtol=1e-3, atol=1e-4)


def test_the_file_is_one_self_contained_old_enough_onnx_file(exported):
    content = onnx.load(exported, load_external_data=False)
    assert content.ir_version <= 8
    assert [entry.version for entry in content.opset_import] == [17]
    assert not any(tensor.external_data for tensor in content.graph.initializer)
    kinds = {node.op_type for node in content.graph.node}
    assert "BatchNormalization" not in kinds
    assert "Sigmoid" in kinds
    for value in (*content.graph.input, *content.graph.output):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert [dims[0], *dims[2:]] == ["N", "Y", "X"]


def test_the_same_weights_give_the_same_bytes(exported, network):
    given = read_card(exported).input
    traced = trace(fold_batch_norm(network), given)
    assert traced == trace(fold_batch_norm(network), given)
    assert exported.read_bytes().startswith(traced)  # the card and the test are added at the end

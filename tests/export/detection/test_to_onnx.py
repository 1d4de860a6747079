import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTOR, loud_detector

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from cpunet.export.detection.to_onnx import EXAMPLE_PX, trace_detector
from cpunet.training.detection.exportable import ExportableDetector

SIZES = [EXAMPLE_PX, (64, 64), (96, 320), (257, 131)]


@pytest.fixture(scope="module")
def network():
    return loud_detector()


@pytest.fixture(scope="module")
def traced(network):
    return trace_detector(network, 1)


@pytest.fixture(scope="module")
def session(traced):
    return onnxruntime.InferenceSession(traced, providers=["CPUExecutionProvider"])


def of_torch(network, image):
    with torch.inference_mode():
        return [each.numpy() for each in ExportableDetector(network)(torch.from_numpy(image))]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_onnxruntime_finds_what_torch_finds(network, session, size):
    image = np.random.default_rng(size[0]).random((1, 1, *size), np.float32)
    expected, found = of_torch(network, image), session.run(["boxes", "scores", "masks"], {"image": image})
    assert 5 < len(expected[1]) <= SMALL_DETECTOR["max_objects"]
    for one, other, near in zip(found, expected, (1e-2, 1e-4, 1e-3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=near)


def test_an_image_without_an_object_gives_none(network):
    network = loud_detector()
    network.roi_heads.box_predictor.cls_score.bias.data = torch.tensor([50.0, 0.0])
    session = onnxruntime.InferenceSession(trace_detector(network, 1), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": np.zeros((1, 1, 80, 64), np.float32)})
    assert [each.shape for each in found] == [(0, 4), (0,), (0, 28, 28)]


def test_the_file_is_for_old_runtimes_and_its_sizes_depend_on_no_pixel_but_the_number_of_objects(traced):
    model = onnx.load_from_string(traced)
    assert model.ir_version <= 8
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("NonMaxSuppression") == operators.count("RoiAlign") == 2
    assert operators.count("TopK") == 5
    assert not {"Loop", "If", "Scan", "NonZero", "ScatterND", "ScatterElements", "SequenceConstruct"} & set(operators)
    assert [each.name for each in model.graph.output] == ["boxes", "scores", "masks"]
    constants = {
        node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    most = [constants[node.input[2]].item() for node in model.graph.node if node.op_type == "NonMaxSuppression"]
    assert most == [SMALL_DETECTOR["proposals"], SMALL_DETECTOR["max_objects"]]


def test_resnet50_with_batch_normalization_and_colors_is_exported_too():
    network = loud_detector(backbone="resnet50", normalization_layers="batch")
    session = onnxruntime.InferenceSession(trace_detector(network, 3), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 3, 90, 64), np.float32)
    expected, found = of_torch(network, image), session.run(None, {"image": image})
    assert len(expected[1])
    for one, other, near in zip(found, expected, (1e-2, 1e-4, 1e-3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=near)

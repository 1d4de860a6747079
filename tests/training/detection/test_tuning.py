import numpy as np
from skimage.io import imread
from skimage.measure import regionprops

from cpunet.model.card import INSTANCES, InputCard, ModelCard, Normalization, OutputCard, Postprocessing
from cpunet.model.instances import Instances
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.detection.tuning import RememberedTiles, best_score_threshold
from tests.synthetic_data_set import write_data_set

CARD = ModelCard(
    name="two",
    version="1",
    description="",
    licence="",
    input=InputCard(("gray",), 1, 64, Normalization(), 18.0, 1.0, 1000.0, "fluorescence"),
    output=OutputCard(("foreground",), 16, INSTANCES),
    postprocessing=Postprocessing(),
)


class TwoObjects:
    """Finds the same two objects in any image: a sure one and a less sure one."""

    card = CARD

    def __init__(self, boxes, scores):
        self.found = Instances(
            np.array(boxes, np.float32), np.array(scores, np.float32), np.ones((2, 4, 4), np.float32)
        )
        self.calls = 0

    def find_instances(self, image):
        self.calls += 1
        return self.found


def test_a_tile_is_looked_at_once_for_all_thresholds():
    network = TwoObjects([[2, 2, 12, 12], [30, 30, 44, 44]], [0.8, 0.4])
    seen = RememberedTiles(network)
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    found = [segment_image(image, seen.at(each), Options(scale=1.0)).labels.max() for each in (0.3, 0.5, 0.9)]
    assert found == [2, 1, 0]
    assert network.calls == 1


def test_the_threshold_is_the_lowest_that_leaves_out_what_is_wrong(tmp_path):
    write_data_set(tmp_path / "drawn", ["val"])
    labels = imread(tmp_path / "drawn/labels/f0.png")
    boxes = [regionprops(labels)[0].bbox, (0, 0, 5, 96)]  # a nucleus, and none
    row = IndexRow(tmp_path / "drawn", "f0", "fluorescence", "val", "")
    threshold, score = best_score_threshold(TwoObjects(boxes, [0.8, 0.45]), [[row]], [18.0])
    assert threshold == 0.5
    assert 0 < score < 1
    assert best_score_threshold(TwoObjects(boxes, [0.45, 0.8]), [[row]], [18.0])[0] < 0.5

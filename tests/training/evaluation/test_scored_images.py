from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.scored_images import worst_images
from tests.boxes import FIRST, SECOND, boxes
from tests.scored_methods import scored_method


def test_the_worst_images_come_first_and_perfect_ones_never(evaluation):
    method = evaluation.methods[0]
    assert [image.row.id for image in worst_images(method, 12)] == sorted(
        ("i1", "i2", "i3"), key=lambda name: method.images[int(name[1])].pooled.mean_f1
    )
    assert len(worst_images(method, 2)) == 2
    assert method.images[0].pooled.mean_f1 == 1


def test_of_equally_bad_images_the_one_with_more_errors_is_worse(tmp_path):
    rows = [IndexRow(tmp_path, name, "", "val", "") for name in "ab"]
    nothing = boxes()
    method = scored_method("m", rows, [boxes(FIRST), boxes(FIRST, SECOND)], [nothing, nothing])
    assert [image.row.id for image in worst_images(method, 12)] == ["b", "a"]

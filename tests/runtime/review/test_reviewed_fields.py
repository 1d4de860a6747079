import base64
import io

import numpy as np
import PIL.Image
import pytest

from cpunet.errors import DataError
from cpunet.review.fields import Field
from cpunet.review.reviewed_fields import drawn_part, identity_of, reviewed_field
from tests.boxes import FIRST, SECOND, THIRD, boxes
from tests.review_files import reviewed, write_field

LABELS = boxes(FIRST, SECOND, THIRD)


def size_of(uri):
    kind, content = uri.split(";base64,")
    assert kind == "data:image/jpeg"
    return PIL.Image.open(io.BytesIO(base64.b64decode(content))).size


def test_a_field_holds_its_pictures_and_its_objects(tmp_path):
    write_field(tmp_path, "a", LABELS, boxes(FIRST))
    field = reviewed(tmp_path, "a", stain=True)
    assert (field.name, field.top, field.left, field.height, field.width, field.is_part) == ("a", 0, 0, 40, 60, False)
    assert size_of(field.image) == size_of(field.stain) == (60, 40)
    assert [each.number for each in field.objects] == [1, 2, 3]
    assert reviewed(tmp_path, "a").stain is None


def test_of_a_large_image_a_part_is_shown_with_the_numbers_of_the_whole(tmp_path):
    labels = np.zeros((300, 400), np.int32)
    for number in range(300):
        labels[10 * (number // 20) + 2 : 10 * (number // 20) + 8, 20 * (number % 20) + 3 : 20 * (number % 20) + 17] = (
            number + 1
        )
    write_field(tmp_path, "large", labels)
    field = reviewed(tmp_path, "large", window_px=100)
    assert (field.height, field.width, field.is_part) == (100, 100, True)
    assert size_of(field.image) == (100, 100)
    part = labels[field.top : field.top + 100, field.left : field.left + 100]
    assert [each.number for each in field.objects] == [number for number in np.unique(part) if number]
    parts = {drawn_part((300, 400), 100, seed, Field("s", "n", tmp_path)).__repr__() for seed in range(30)}
    assert len(parts) > 20
    names = {drawn_part((300, 400), 100, 1, Field("s", str(number), tmp_path)).__repr__() for number in range(30)}
    assert len(names) > 20


def test_a_review_is_known_by_its_predictions(tmp_path):
    write_field(tmp_path, "a", LABELS)
    write_field(tmp_path, "b", LABELS)
    first, other = reviewed(tmp_path, "a"), reviewed(tmp_path, "b")
    identity = identity_of([first, other])
    assert identity == identity_of([reviewed(tmp_path, "a"), other])
    assert len({identity, identity_of([other, first]), identity_of([first])}) == 3
    changed = LABELS.copy()
    changed[3, 14] = 1
    write_field(tmp_path, "a", changed)
    assert identity_of([reviewed(tmp_path, "a"), other]) != identity


def test_objects_may_be_predicted(tmp_path):
    write_field(tmp_path, "a", LABELS)
    path = tmp_path / "images" / "a.tif"
    field = reviewed_field(Field("s", "a", path), lambda image: boxes(SECOND, shape=image.shape), 1024, 1)
    assert len(field.objects) == 1
    with pytest.raises(DataError, match="neither labels of this image nor a model"):
        reviewed_field(Field("s", "a", path), None, 1024, 1)


def test_labels_or_a_stain_of_another_size_are_refused(tmp_path):
    write_field(tmp_path, "a", LABELS, np.ones((40, 50)))
    with pytest.raises(DataError, match=r"a\.tif has 50 x 40 pixels, and its image a\.tif 60 x 40"):
        reviewed(tmp_path, "a", stain=True)
    write_field(tmp_path / "labels-only", "a", boxes(shape=(30, 60)))
    with pytest.raises(DataError, match="they must agree"):
        reviewed_field(
            Field("s", "a", tmp_path / "images" / "a.tif", tmp_path / "labels-only" / "labels" / "a.tif"), None, 99, 1
        )

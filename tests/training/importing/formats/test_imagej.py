import io
import zipfile

import numpy as np
import pytest
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiwrite

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.imagej import read_rois
from tests.import_sources import field
from tests.outlines import outlines_of, rings_of
from tests.written_sets import same_objects

SHAPE = (40, 50)
SQUARE = [(5, 5), (12, 5), (12, 9), (5, 9)]


def roi(roitype, box=(0, 0, 0, 0), **values):
    """A ROI without coordinates, from left, top, right and bottom."""
    made = ImagejRoi()
    made.roitype, made.version = roitype, 228
    made.left, made.top, made.right, made.bottom = box
    for name, value in values.items():
        setattr(made, name, value)
    return made


def path_of(rings):
    """The path of a combined selection, as ImageJ stores it: 0 moves, 1 draws a line, 4 closes."""
    numbers = []
    for ring in rings:
        for number, point in enumerate(ring):
            numbers += [0 if number == 0 else 1, *point]
        numbers.append(4)
    return np.array(numbers, np.float32)


def composite(numbers, box=(0, 0, 50, 40)):
    return roi(ROI_TYPE.RECT, box, shape_roi_size=len(numbers), multi_coordinates=np.asarray(numbers, np.float32))


def saved(path, *rois):
    for number, each in enumerate(rois):
        each.name = each.name or f"{number + 1:04d}"
    if path.suffix == ".zip":
        roiwrite(path, list(rois), mode="w")
    else:
        (each,) = rois
        each.tofile(path)
    return path


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_zip_of_the_roi_manager_comes_back_as_the_labels_it_was_traced_from(tmp_path, dtype):
    labels = field(1, touching=True)[1]
    rois = [ImagejRoi.frompoints(np.array(rings[0], dtype)) for rings in outlines_of(labels)]
    read = read_rois([saved(tmp_path / "RoiSet.zip", *rois)], labels.shape)
    assert same_objects(read.labels, labels)
    assert (read.overlap_px, read.note) == (0, "")


def test_single_files_are_the_objects_of_one_image(tmp_path):
    labels = field(1)[1]
    rois = [ImagejRoi.frompoints(np.array(rings[0])) for rings in outlines_of(labels)]
    paths = [saved(tmp_path / f"{number}.roi", each) for number, each in enumerate(rois)]
    assert same_objects(read_rois(paths, labels.shape).labels, labels)
    assert read_rois(paths[:1], labels.shape).labels.max() == 1


def test_a_combined_selection_keeps_its_holes_and_parts(tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[4:20, 5:30] = True
    mask[8:12, 10:15] = False
    mask[30:35, 40:45] = True
    path = saved(tmp_path / "a.roi", composite(path_of(rings_of(mask))))
    np.testing.assert_array_equal(read_rois([path], SHAPE).labels > 0, mask)


def test_curves_of_a_combined_selection_are_followed(tmp_path):
    numbers = [0, 10, 10, 3, 10, 20, 30, 20, 30, 10, 4]  # a cubic curve from (10, 10) to (30, 10), down to y = 17.5
    mask = read_rois([saved(tmp_path / "a.roi", composite(numbers))], SHAPE).labels > 0
    assert abs(mask.sum() - 0.6 * 20 * 10) < 6
    assert np.flatnonzero(mask.any(axis=1)).tolist() == list(range(10, 17))


def test_rectangles_ovals_and_sub_pixel_bounds(tmp_path):
    read = read_rois([saved(tmp_path / "r.roi", roi(ROI_TYPE.RECT, (5, 6, 15, 10)))], SHAPE)
    assert read.labels[6:10, 5:15].all()
    assert read.labels.sum() == 40
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    read = read_rois([saved(tmp_path / "o.roi", roi(ROI_TYPE.OVAL, (5, 6, 25, 16)))], SHAPE)
    np.testing.assert_array_equal(read.labels > 0, ((x - 15) / 10) ** 2 + ((y - 11) / 5) ** 2 <= 1)
    fine = roi(ROI_TYPE.OVAL, (5, 6, 25, 16), options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION)
    fine.xd, fine.yd, fine.widthd, fine.heightd = 5.5, 6.5, 10.0, 10.0
    read = read_rois([saved(tmp_path / "f.roi", fine)], SHAPE)
    np.testing.assert_array_equal(read.labels > 0, (x - 10.5) ** 2 + (y - 11.5) ** 2 <= 25)


def test_points_lines_and_texts_are_left_out_by_name(tmp_path):
    point = roi(ROI_TYPE.POINT, (3, 3, 4, 4), n_coordinates=1, integer_coordinates=np.zeros((1, 2), np.int32), name="p")
    line = roi(ROI_TYPE.LINE, (3, 3, 9, 9), name="l")
    text = roi(ROI_TYPE.RECT, (3, 3, 9, 9), subtype=ROI_SUBTYPE.TEXT, name="t")
    area = ImagejRoi.frompoints(SQUARE)
    read = read_rois([saved(tmp_path / "a.zip", point, area, line, text)], SHAPE)
    assert read.labels.sum() == 28
    assert read.note == "left out, as points, lines or texts: 3 ROIs (p.roi, l.roi, t.roi)"
    with pytest.raises(LabelFileError, match=r"b\.zip: its 2 ROIs are points, lines or texts \(p\.roi, l\.roi\)"):
        read_rois([saved(tmp_path / "b.zip", point, line)], SHAPE)


def test_rois_of_several_planes_are_refused_and_those_of_several_channels_are_not(tmp_path):
    planes = [ImagejRoi.frompoints(SQUARE, position=number) for number in range(3)]
    with pytest.raises(LabelFileError, match="its ROIs lie in 3 planes of a stack"):
        read_rois([saved(tmp_path / "a.zip", *planes)], SHAPE)
    channels = [ImagejRoi.frompoints(np.add(SQUARE, 10 * number), c=number, z=0, t=0) for number in range(3)]
    assert read_rois([saved(tmp_path / "b.zip", *channels)], SHAPE).labels.max() == 3


def test_files_that_are_damaged_or_hold_something_else_are_named(tmp_path):
    whole = saved(tmp_path / "a.zip", ImagejRoi.frompoints(SQUARE)).read_bytes()
    alone = saved(tmp_path / "a.roi", ImagejRoi.frompoints(SQUARE)).read_bytes()
    for content, message in (
        (whole[: len(whole) // 2], "damaged or cut short"),
        (b"", "damaged or cut short"),
        (_zip_of("a.geojson", b"{}"), "holds no ROI of ImageJ, but a.geojson"),
        (_zip_of("a.roi", b"nonsense"), "this ROI cannot be read"),
        (_zip_of("a.roi", alone[:70]), "this ROI cannot be read"),
    ):
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(LabelFileError, match=message):
            read_rois([tmp_path / "b.zip"], SHAPE)
    rounded = saved(tmp_path / "c.roi", roi(ROI_TYPE.RECT, (5, 6, 15, 10), rounded_rect_arc_size=4))
    with pytest.raises(LabelFileError, match="round corners"):
        read_rois([rounded], SHAPE)
    broken = saved(tmp_path / "d.roi", composite([1, 2, 3, 0, 4]))
    with pytest.raises(LabelFileError, match="its path is damaged"):
        read_rois([broken], SHAPE)


def test_a_damaged_name_does_not_fill_the_terminal(tmp_path):
    path = saved(tmp_path / "a.zip", ImagejRoi.frompoints(SQUARE, name="nucleus"))
    content = path.read_bytes()
    place = content.index(b"nucleus.roi") - 4  # the length of the name, before the content
    path.write_bytes(content[:place] + b"\x90\x01" + content[place + 2 :])
    with pytest.raises(LabelFileError, match="damaged or cut short") as caught:
        read_rois([path], SHAPE)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 300
    assert str(caught.value).isprintable()


def test_a_file_that_unpacks_to_very_much_is_refused(tmp_path):
    (tmp_path / "bomb.zip").write_bytes(_zip_of("a.roi", bytes(2**26 + 1)))
    assert (tmp_path / "bomb.zip").stat().st_size < 100_000
    with pytest.raises(LabelFileError, match=r"a\.roi is too large for a ROI"):
        read_rois([tmp_path / "bomb.zip"], SHAPE)


def _zip_of(name, content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()

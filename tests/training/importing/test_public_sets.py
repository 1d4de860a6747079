import io
import re
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.errors import DataError
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.importing import public_sets as download_module
from cpunet.training.importing.public_sets import PUBLIC_SETS, download
from tests.archive_server import digest, zipped
from tests.import_sources import data, field


def encoded(array, kind):
    stream = io.BytesIO()
    if kind == "png":
        PIL.Image.fromarray(array).save(stream, "PNG")
    else:
        tifffile.imwrite(stream, array)
    return stream.getvalue()


@pytest.fixture
def bbbc039(server):
    """A small BBBC039 as its publisher lays it out; two of its five fields differ by the random text alone."""
    names = [
        "IXMtest_A01_s1_w1AA",
        "IXMtest_A02_s2_w1BB",
        "IXMtest_A02_s2_w1CC",
        "IXMtest_A03_s1_w1DD",
        "IXMtest_A04_s1_w1EE",
    ]
    images, masks = [], []
    for seed, name in enumerate(names):
        image, labels = field(seed, touching=True)
        colors = np.zeros((*labels.shape, 4), np.uint8)
        colors[..., 0] = np.where(labels, 1 + labels % 2, 0)
        colors[..., 3] = 255
        colors[:2, :2, 1] = 9  # the publisher reads the first channel alone
        images.append((f"images/{name}.tif", encoded(image // 16, "tif")))
        masks.append((f"masks/{name}.png", encoded(colors, "png")))
    lists = {"training": names[:3], "validation": names[3:4], "test": names[4:]}
    metadata = [(f"metadata/{name}.txt", "\r\n".join(f"{each}.png" for each in ids)) for name, ids in lists.items()]
    server.files = {
        "images.zip": zipped([*images, ("__MACOSX/images/._x.tif", b"x")]),
        "masks.zip": zipped(masks),
        "metadata.zip": zipped(metadata),
    }
    sums = {name: digest(content) for name, content in server.files.items()}
    return replace(PUBLIC_SETS["bbbc039"], address=server.url, archives=sums)


def test_bbbc039_comes_with_its_published_split(bbbc039, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PUBLIC_SETS, "bbbc039", bbbc039)
    assert data("download", "bbbc039", "-o", tmp_path / "bbbc039") == 0
    rows = {row.id: row for row in read_index(tmp_path / "bbbc039")}
    assert {name: row.split for name, row in rows.items()} == {
        "IXMtest_A01_s1": "train",
        "IXMtest_A02_s2_w1BB": "train",
        "IXMtest_A02_s2_w1CC": "train",
        "IXMtest_A03_s1": "val",
        "IXMtest_A04_s1": "test",
    }
    read = read_labeled_image(rows["IXMtest_A03_s1"])
    image, labels = field(3, touching=True)
    np.testing.assert_array_equal(read.image, image // 16)
    np.testing.assert_array_equal(read.labels > 0, labels > 0)
    assert read.labels.max() == labels.max()
    archives = tmp_path / "bbbc039-archives"
    assert (archives / "SHA256SUMS").read_text().splitlines() == [
        f"{bbbc039.archives[name]}  {name}" for name in ("images.zip", "masks.zip", "metadata.zip")
    ]
    assert "publisher gives no sums" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bbbc039", "bbbc039-archives"]


def test_bbbc038_comes_with_modalities(server, tmp_path):
    gray, labels = field(0)
    gray = (gray // 256).astype(np.uint8)
    stained = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    pictures = {"aa": np.dstack([gray] * 3), "bb": np.dstack([255 - gray] * 3), "cc": stained}
    files = []
    for name, picture in pictures.items():
        files.append(
            (f"{name}/images/{name}.png", encoded(np.dstack([picture, np.full((64, 64), 255, np.uint8)]), "png"))
        )
        for number in range(1, labels.max() + 1):
            files.append((f"{name}/masks/{number}.png", encoded((labels == number).astype(np.uint8) * 255, "png")))
    server.files = {"stage1_train.zip": zipped(files)}
    public = replace(PUBLIC_SETS["bbbc038"], archives={"stage1_train.zip": digest(server.files["stage1_train.zip"])})
    notes = download(public, tmp_path / "dsb", tmp_path / "archives", address=server.url.rstrip("/"))
    rows = {row.id: row for row in read_index(tmp_path / "dsb")}
    assert {name: row.modality for name, row in rows.items()} == {
        "aa": "fluorescence",
        "bb": "brightfield_grey",
        "cc": "brightfield_colour",
    }
    assert {row.split for row in rows.values()} == {"train"}  # so few are not divided
    assert any("Nature Methods" in note for note in notes)
    np.testing.assert_array_equal(read_labeled_image(rows["aa"]).image, gray)


def test_another_sum_or_address_can_be_given(bbbc039, server, tmp_path, monkeypatch, capsys):
    wrong = replace(bbbc039, archives=bbbc039.archives | {"masks.zip": "0" * 64}, address="http://127.0.0.1:9/")
    monkeypatch.setitem(PUBLIC_SETS, "bbbc039", wrong)
    words = ["download", "bbbc039", "-o", tmp_path / "set", "--archives", tmp_path / "kept", "--from-url", server.url]
    assert data(*words) == 2
    assert "does not match the known hash" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert data(*words, "--sha256", f"masks.zip={bbbc039.archives['masks.zip']}") == 0
    assert (tmp_path / "kept/images.zip").is_file()
    assert server.asked.count("/set/images.zip") == 1
    assert data(*words) == 2
    assert "exists already" in capsys.readouterr().err
    assert data("download", "bbbc039", "-o", tmp_path / "other", "--sha256", "x.zip=00") == 2
    assert "has the archives images.zip" in capsys.readouterr().err


def test_an_archive_without_the_published_split_is_refused(bbbc039, server, tmp_path):
    server.files["metadata.zip"] = zipped([("metadata/training.txt", "IXMtest_A01_s1_w1AA.png")])
    broken = replace(bbbc039, archives=bbbc039.archives | {"metadata.zip": digest(server.files["metadata.zip"])})
    with pytest.raises(DataError, match=r"does not hold metadata/validation\.txt"):
        download(broken, tmp_path / "set", tmp_path / "archives")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archives"]


def test_every_public_set_has_a_sum_of_each_archive():
    assert PUBLIC_SETS.keys() == download_module.PAIRED.keys() == {"bbbc038", "bbbc039"}
    for public in PUBLIC_SETS.values():
        assert public.address.startswith("https://data.broadinstitute.org/bbbc/")
        assert all(re.fullmatch("[0-9a-f]{64}", digits) for digits in public.archives.values())

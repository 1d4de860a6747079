import hashlib
import http.server
import io
import re
import shutil
import stat
import threading
import zipfile
from collections import namedtuple
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.errors import DataError
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.importing import fetch as fetch_module
from cpunet.training.importing import public_sets as download_module
from cpunet.training.importing import unpack as unpack_module
from cpunet.training.importing.fetch import fetch
from cpunet.training.importing.public_sets import PUBLIC_SETS, download
from cpunet.training.importing.unpack import unpack
from tests.import_sources import data, field

Usage = namedtuple("Usage", "total used free")
CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `ranges` False ignores Range, `cut` ends each answer after so many bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.ranges = True
        self.cut = None
        self.say_length = True
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/set/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        content = server.files.get(self.path.removeprefix("/set/"))
        if content is None:
            self.send_error(404)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        begin = int(wanted.group(1)) if wanted and server.ranges else 0
        if begin >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if server.say_length:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:][: server.cut])
        self.close_connection = True

    def log_message(self, *words):
        """Stay quiet."""


@pytest.fixture
def server():
    """A server on this machine."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_fetched_whole_and_only_once(server, tmp_path):
    server.files["a.zip"] = CONTENT
    target = tmp_path / "archives/a.zip"
    fetch(server.url + "a.zip", target, digest(CONTENT).upper())
    assert target.read_bytes() == CONTENT
    fetch(server.url + "a.zip", target, digest(CONTENT))
    assert server.asked == [("/set/a.zip", None)]
    assert [path.name for path in target.parent.iterdir()] == ["a.zip"]


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.files["a.zip"] = CONTENT
    server.cut = 100_000
    with pytest.raises(DataError, match=r"Run the command again to go on from there"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert not (tmp_path / "a.zip").exists()
    assert (tmp_path / "a.zip.part").read_bytes() == CONTENT[:100_000]
    server.cut = None
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-"]


def test_a_server_that_ignores_ranges_sends_all_again(server, tmp_path):
    server.files["a.zip"] = CONTENT
    server.ranges = False
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:5000])
    server.cut = 1000
    with pytest.raises(DataError, match="broke off after 1000 of 300000 bytes"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    server.cut = None
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_that_says_no_length_is_checked_by_the_sum(server, tmp_path):
    server.files["a.zip"] = CONTENT
    server.say_length = False
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    server.cut = 10
    with pytest.raises(DataError, match="another SHA-256"):
        fetch(server.url + "a.zip", tmp_path / "b.zip", digest(CONTENT))


def test_what_has_come_whole_already_is_not_asked_for_again(server, tmp_path):
    server.files["a.zip"] = CONTENT
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.files["a.zip"] = CONTENT
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DataError, match="does not fit the file"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))


def test_what_came_with_another_sum_is_removed(server, tmp_path):
    server.files["a.zip"] = CONTENT
    wanted = digest(b"another")
    with pytest.raises(DataError, match=f"expected {wanted}\n  found    {digest(CONTENT)}"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", wanted)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_that_name_that_is_there_already_is_left_alone(server, tmp_path):
    server.files["a.zip"] = CONTENT
    (tmp_path / "a.zip").write_bytes(b"somebody's own")
    with pytest.raises(DataError, match=r"a\.zip must have; it was left alone\. Move it away, or choose another"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == b"somebody's own"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert server.asked == []


def test_a_missing_file_and_a_missing_server_are_named(server, tmp_path):
    with pytest.raises(DataError, match=r"/set/none\.zip: the server answers 404"):
        fetch(server.url + "none.zip", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="download failed"):
        fetch("http://127.0.0.1:9/none.zip", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="begins with https"):
        fetch("file:///etc/hostname", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="no SHA-256"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", "1234")


def test_a_full_disk_is_seen_before_the_download(server, tmp_path, monkeypatch):
    server.files["a.zip"] = CONTENT
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9 - 299_999, 299_999))
    with pytest.raises(DataError, match=r"disk is too full for a\.zip: 0 MB are needed"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, 300_000))
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))


@pytest.mark.parametrize("says", [True, False], ids=["says so", "does not say"])
def test_a_file_without_end_is_refused(server, tmp_path, monkeypatch, says):
    server.files["a.zip"] = CONTENT
    server.say_length = says
    monkeypatch.setattr(fetch_module, "LARGEST_BYTES", 200_000)
    with pytest.raises(DataError, match="more than"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))


def zipped(files):
    """Return a ZIP archive of names or ZipInfo, and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


def link(name, kind=stat.S_IFLNK):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def raw_name(name):
    """A name as a stranger may write it, which zipfile would tidy."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "a/../../out.txt",
        "/out.txt",
        "C:/out.txt",
        raw_name("..\\out.txt"),
        ".",
        link("out.txt"),
        link("out.txt", stat.S_IFIFO),
    ],
    ids=["parent", "parent inside", "absolute", "drive", "backslash", "dot", "link", "pipe"],
)
def test_a_path_that_leads_out_of_the_folder_is_refused_before_a_file_is_written(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(zipped([("fine.txt", b"fine"), (name, b"/etc/passwd")]))
    folder = tmp_path / "in/here"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match="nothing was unpacked"):
        unpack(tmp_path / "a.zip", folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "here", "in"]


def test_files_are_unpacked_without_what_macos_adds(tmp_path):
    files = [("a/b.txt", b"b"), ("__MACOSX/a/._b.txt", b"x"), ("a/._b.txt", b"x"), ("a/.DS_Store", b"x"), ("a/c/", b"")]
    (tmp_path / "a.zip").write_bytes(zipped(files))
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    ] == ["a/b.txt"]


@pytest.mark.parametrize(("limit", "value"), [("LARGEST_BYTES", 999), ("MOST_FILES", 1)])
def test_a_bomb_is_refused(tmp_path, monkeypatch, limit, value):
    (tmp_path / "a.zip").write_bytes(zipped([("a", bytes(500)), ("b", bytes(500))]))
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(unpack_module, limit, value)
    with pytest.raises(DataError, match="would unpack to 2 files of 1000 bytes"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_larger_than_it_says_is_refused(tmp_path):
    content = bytearray(zipped([("a", bytes(5000))]))
    central = content.rindex(b"PK\x01\x02")
    for place in (22, central + 24):  # sizes in the file's own head and in the table of contents
        content[place : place + 4] = (100).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 100


@pytest.mark.parametrize("fault", ["cut", "flipped", "no archive"])
def test_a_damaged_archive_is_named(tmp_path, fault):
    content = bytearray(zipped([("a", CONTENT)]))
    if fault == "cut":
        content = content[: len(content) // 2]
    elif fault == "flipped":
        content[1000] ^= 255
    else:
        content = b"<html>Not found</html>"
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"a\.zip: this cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_full_disk_is_seen_before_unpacking(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped([("a", bytes(5000))]))
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, 4999))
    with pytest.raises(DataError, match=r"too full for unpacking a\.zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


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
    assert {row.split for row in rows.values()} == {"train", "val"}
    assert any("Nature Methods" in note for note in notes)
    np.testing.assert_array_equal(read_labeled_image(rows["aa"]).image, gray)


def test_another_sum_or_address_can_be_given(bbbc039, server, tmp_path, monkeypatch, capsys):
    wrong = replace(bbbc039, archives=bbbc039.archives | {"masks.zip": "0" * 64}, address="http://127.0.0.1:9/")
    monkeypatch.setitem(PUBLIC_SETS, "bbbc039", wrong)
    words = ["download", "bbbc039", "-o", tmp_path / "set", "--archives", tmp_path / "kept", "--from-url", server.url]
    assert data(*words) == 2
    assert "another SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert data(*words, "--sha256", f"masks.zip={bbbc039.archives['masks.zip']}") == 0
    assert (tmp_path / "kept/images.zip").is_file()
    assert sum(path == "/set/images.zip" for path, _ in server.asked) == 1
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

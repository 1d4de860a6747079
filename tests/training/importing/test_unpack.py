import shutil
import stat
import zipfile
from collections import namedtuple

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.importing import unpack as unpack_module
from cpunet.training.importing.unpack import unpack
from tests.archive_server import zipped

Usage = namedtuple("Usage", "total used free")
CONTENT = np.random.default_rng(0).bytes(300_000)


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

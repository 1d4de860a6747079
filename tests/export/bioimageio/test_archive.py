import os
import re
import zipfile

import pytest
import yaml

from tests.export.bioimageio_packages import ANSWERS, files_of, imported, theirs


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files_of(theirs(tmp_path / "p.zip")).items():
        (folder / name).write_bytes(content)
    assert imported(folder, tmp_path / "m.onnx", *ANSWERS) == 0
    os.rename(folder / "w.onnx", tmp_path / "w.onnx")
    (folder / "w.onnx").symlink_to(tmp_path / "w.onnx")
    assert imported(folder / "rdf.yaml", tmp_path / "n.onnx", *ANSWERS) == 2
    assert "leads out of the folder" in capsys.readouterr().err


DOUBLED = b"a0: &a0 [1]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40))
HOSTILE = {
    "a description too large": ({"rdf.yaml": b"#" * 2**21}, "too large"),
    "aliases of aliases": ({"rdf.yaml": DOUBLED}, "YAML aliases"),
    "a list in itself": ({"rdf.yaml": b"type: model\na: &a [*a]\n"}, "YAML aliases"),
    "an object of Python": ({"rdf.yaml": b"!!python/object/apply:os.getcwd []"}, "not readable YAML"),
    "nesting": ({"rdf.yaml": b"[" * 200_000}, "nested more than"),
    "no mapping": ({"rdf.yaml": b"- 1"}, "not a mapping"),
    "no text": ({"rdf.yaml": b"\xff\xfe\x00\xd8"}, "not readable YAML"),
    "other bytes": ({"w.onnx": b"other"}, "promises"),
}


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(content, message, tmp_path, capsys):
    files = {**files_of(theirs(tmp_path / "p.zip")), **content}
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in files.items():
            archive.writestr(name, held)
    assert imported(tmp_path / "p.zip", tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err


def test_aliases_that_an_author_s_program_wrote_are_read(tmp_path):
    """Python's yaml.dump writes them for whatever occurs twice."""
    files = files_of(theirs(tmp_path / "p.zip"))
    rdf = yaml.safe_load(files["rdf.yaml"])
    rdf["outputs"][0]["axes"][0] = rdf["inputs"][0]["axes"][0]
    text = yaml.safe_dump(rdf).encode()
    assert b"&id001" in text
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for name, content in {**files, "rdf.yaml": text}.items():
            archive.writestr(name, content)
    assert imported(tmp_path / "p.zip", tmp_path / "m.onnx", *ANSWERS) == 0


def many_entries(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:010}", b"")


def encrypted(path):
    content = bytearray(theirs(path).read_bytes())
    for place in [match.start() for match in re.finditer(b"PK\x01\x02", content)]:
        content[place + 8] |= 1
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(theirs(path).read_bytes()[:-40])


def damaged(path):
    content = theirs(path).read_bytes()
    path.write_bytes(content.replace(b"format_version", b"format_versiom"))


def in_bzip2(path):
    files = files_of(theirs(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (many_entries, "list of contents is too long"),
        (encrypted, "encrypted"),
        (cut_short, "no sound zip archive"),
        (damaged, "cannot be read"),
        (in_bzip2, "compressed in an unusual way"),
        (lambda path: path.write_bytes(b""), "no sound zip archive"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "there is no rdf.yaml"),
        (lambda path: None, "no such file or folder"),
    ],
)
def test_a_hostile_archive_is_refused(make, message, tmp_path, capsys):
    make(tmp_path / "p.zip")
    assert imported(tmp_path / "p.zip", tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err


def test_the_archive_may_hold_the_package_in_a_folder(tmp_path):
    files = files_of(theirs(tmp_path / "p.zip"))
    with zipfile.ZipFile(tmp_path / "q.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"inner/{name}", content)
    assert imported(tmp_path / "q.zip", tmp_path / "m.onnx", *ANSWERS) == 0

"""Read a bioimage.io package that a stranger made: nothing outside it, nothing from the network, nothing too large."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from bioimageio.spec.model.v0_5 import FileDescr, ModelDescr

from cpunet.errors import ModelError
from cpunet.export.bioimageio.description import model_description

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
LARGEST_DESCRIPTION_BYTES = 2**20
DEEPEST_NESTING = 64
MOST_VALUES = 100_000
# A zip archive's list of contents is read in one piece before anything else.
LARGEST_READ_BYTES = 2**20
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Package:
    """A package whose description was read.

    Attributes
    ----------
    path : Path
        A zip archive, or a folder.
    place : PurePosixPath
        Folder of the description inside it; other files are named from there.
    description : ModelDescr
    """

    path: Path
    place: PurePosixPath
    description: ModelDescr


class _SmallReads(io.FileIO):
    """A file that refuses to read a large part at once, as an archive with a huge list of contents asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(LARGEST_READ_BYTES + 1 if size is None or size < 0 else size)  # type: ignore[return]
        if content is None or max(size or 0, len(content)) > LARGEST_READ_BYTES:
            raise zipfile.BadZipFile("its list of contents is too long")
        return content


def open_package(path: Path) -> Package:
    """Read the description of a package: a zip archive, a folder, or an rdf.yaml inside a folder.

    Raises
    ------
    ModelError
        If there is none, it is too large, or it does not describe a model in bioimage.io's format.
    """
    if not path.exists():
        raise ModelError(f"{path}: there is no such file or folder. Download the package first; nothing is fetched.")
    if path.suffix in (".yaml", ".yml"):
        found, root = path.name, path.parent
    else:
        root = path
        candidates = [name for name in _names(path) if name in DESCRIPTIONS or name.endswith("/rdf.yaml")]
        found = min(candidates, key=lambda name: (name.count("/"), name), default="")
        if not found:
            raise ModelError(f"{path}: there is no {' or '.join(DESCRIPTIONS)} in it. Is it a bioimage.io package?")
    try:
        content = _plain_yaml(_content(root, PurePosixPath(found), LARGEST_DESCRIPTION_BYTES))
        return Package(root, PurePosixPath(found).parent, model_description(content))
    except ModelError as error:
        raise ModelError(f"{path}: {error}" if str(root) not in str(error) else str(error)) from None


def _names(path: Path) -> list[str]:
    if path.is_dir():
        return [name for name in DESCRIPTIONS if (path / name).is_file()]
    with _archive(path) as archive:
        return archive.namelist()


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with _SmallReads(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise ModelError(f"{path}: this is no sound zip archive: {error}. Download the package again.") from None
        with archive:
            yield archive


def _plain_yaml(text: bytes) -> dict[str, Any]:
    """Read YAML, but none that takes far longer to read than its length says."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST_NESTING:
                raise ModelError(f"its description is nested more than {DEEPEST_NESTING} deep.")
        if _written_out(yaml.compose(text, Loader=yaml.SafeLoader), {}) > MOST_VALUES:
            raise ModelError(
                f"its description holds more than {MOST_VALUES} values once its YAML aliases (*name) are written out, "
                "or one that holds itself."
            )
        content = yaml.safe_load(text)
    except ModelError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise ModelError(f"its description is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ModelError("its description is not a mapping of fields to values.")
    return content


def _written_out(node: yaml.Node | None, counted: dict[int, int]) -> int:
    """Count the values of a YAML document as if each alias were written out; one that holds itself counts too many."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = MOST_VALUES + 1  # until it is known
        parts = [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
        counted[id(node)] = 1 + sum(_written_out(part, counted) for part in parts)
    return counted[id(node)]


def read_file(package: Package, entry: FileDescr, what: str, limit: int) -> bytes:
    """Read a file that a package's description names, and compare it with its sum.

    Parameters
    ----------
    package : Package
    entry : FileDescr
    what : str
        Names it in messages.
    limit : int
        Bytes.

    Raises
    ------
    ModelError
        If it is not in the package, is too large, or has another sum.
    """
    source = str(entry.source)
    if "://" in source:
        raise ModelError(
            f"{package.path}: {what} are at {source!r}, outside the package, and nothing is fetched. Download the "
            "package as one zip archive."
        )
    content = _content(package.path, package.place / source, limit)
    found = hashlib.sha256(content).hexdigest()
    if entry.sha256 is not None and str(entry.sha256) != found:
        raise ModelError(
            f"{package.path}: {source} has the SHA-256 {found}, and the description promises {entry.sha256}. Download "
            "the package again."
        )
    return content


def _content(root: Path, name: PurePosixPath, limit: int) -> bytes:
    if name.is_absolute() or ".." in name.parts or any(mark in str(name) for mark in "\\:\0"):
        raise ModelError(
            f"{root}: it names the file {str(name)!r}, which lies outside it. Only its own files are read."
        )
    try:
        content = _from_folder(root, name, limit) if root.is_dir() else _from_archive(root, name, limit)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{root}: {name} in it cannot be read: {error}. Download the package again.") from None
    if len(content) > limit:
        raise ModelError(f"{root}: {name} in it has more than {limit} bytes, which is too large.")
    return content


def _from_folder(root: Path, name: PurePosixPath, limit: int) -> bytes:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ModelError(f"{root}: {name} in it leads out of the folder. Only its own files are read.")
    if not path.is_file():
        raise ModelError(f"{root}: there is no {name} in it. Download the package again, whole.")
    with path.open("rb") as stream:
        return stream.read(limit + 1)


def _from_archive(path: Path, name: PurePosixPath, limit: int) -> bytes:
    with _archive(path) as archive:
        try:
            entry = archive.getinfo(str(name))
        except KeyError:
            raise ModelError(f"{path}: there is no {name} in it. Download the package again, whole.") from None
        if entry.flag_bits & 1 or entry.compress_type not in READABLE or stat.S_ISLNK(entry.external_attr >> 16):
            raise ModelError(
                f"{path}: {name} in it is encrypted, a link, or compressed in an unusual way. Pack it anew."
            )
        parts, size = [], 0
        with archive.open(entry) as stream:
            while size <= limit and (part := stream.read(LARGEST_READ_BYTES // 2)):
                parts.append(part)
                size += len(part)
        return b"".join(parts)

"""Unpack an untrusted ZIP archive."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from cpunet.errors import DataError
from cpunet.training.importing.fetch import require_space

LARGEST_BYTES = 4 << 30
MOST_FILES = 200_000
ENCRYPTED = 0x1


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP archive's files below an existing, empty folder, and nowhere else.

    Raises
    ------
    DataError
        If the archive is damaged, larger than the limits or the disk, encrypted, or holds a link or a path that leads
        out of the folder; all names are checked before the first file is written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            files = [info for info in opened.infolist() if not info.is_dir()]
            places = {info: _place(info, archive) for info in files}
            if len(files) > MOST_FILES or sum(info.file_size for info in files) > LARGEST_BYTES:
                raise DataError(
                    f"{archive}: it would unpack to {len(files)} files of {sum(info.file_size for info in files)} "
                    f"bytes; at most {MOST_FILES} and {LARGEST_BYTES} are accepted."
                )
            require_space(folder, sum(info.file_size for info in files), f"unpacking {archive.name}")
            for info, place in places.items():
                if place is not None:
                    _write(opened, info, folder / place)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{archive}: this cannot be unpacked: {error}") from error


def _place(info: zipfile.ZipInfo, archive: Path) -> Path | None:
    """Return where a file goes below the folder, or None if it is left out."""
    # ZipInfo.filename is cut at a NUL and has the backslashes of Windows replaced; the name as stored decides.
    name = info.orig_filename
    parts = PurePosixPath(name).parts
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or ":" in name:
        raise DataError(f"{archive}: it holds the path {name!r}, which leads out of the folder; nothing was unpacked.")
    if not parts:
        raise DataError(f"{archive}: it holds a file called {name!r}, which names none; nothing was unpacked.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DataError(f"{archive}: {name!r} is a link or a device; nothing was unpacked.")
    if info.flag_bits & ENCRYPTED:
        raise DataError(f"{archive}: {name!r} is encrypted; nothing was unpacked.")
    if "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store":
        return None
    return Path(*parts)


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A bomb may say that it is small: zipfile gives no more than it says, and then finds the sum wrong.
    with opened.open(info) as source, path.open("xb") as stream:
        shutil.copyfileobj(source, stream)

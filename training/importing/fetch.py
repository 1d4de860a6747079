"""Download one file, so that it is whole and the right one, and goes on where it broke off."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from cpunet import __version__
from cpunet.errors import DataError

CHUNK = 1 << 18
TIMEOUT_S = 60
LARGEST_BYTES = 4 << 30


def fetch(url: str, target: Path, sha256: str) -> None:
    """Download a file, unless it is there already.

    Parameters
    ----------
    url : str
        ``https:`` or ``http:``.
    target : Path
        Its folder is made. What came so far lies in ``target.part`` until all is there.
    sha256 : str
        The sum that the file must have, 64 hexadecimal digits.

    Raises
    ------
    DataError
        If the server or the network fails, the disk is too small, or the sum differs. What came over a broken
        connection is kept, and the next call goes on from there; what came with another sum is removed. A file that
        was there already is left alone.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DataError(f"{sha256!r} is no SHA-256: 64 hexadecimal digits are needed.")
    if not url.startswith(("https://", "http://")):
        raise DataError(f"{url}: an address that begins with https:// or http:// is needed.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file():
        part = target.with_name(f"{target.name}.part")
        _download(url, part)
        _check_sum(part, url, sha256)
        os.replace(part, target)
    elif sum_of(target) != sha256.lower():
        raise DataError(
            f"{target}: this file is there already, with another SHA-256 than {url} must have; it was left alone. Move "
            "it away, or choose another --archives."
        )


def sum_of(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold.

    Parameters
    ----------
    folder : Path
        Must be there.
    needed : int
        Bytes.
    what : str
        For the message.

    Raises
    ------
    DataError
        If less is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the disk is too full for {what}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are "
            "free. Free some, or choose a folder on another disk."
        )


def _check_sum(part: Path, url: str, sha256: str) -> None:
    found = sum_of(part)
    if found != sha256.lower():
        part.unlink()
        raise DataError(
            f"{url}: the file has another SHA-256 than expected, and was removed.\n  expected {sha256.lower()}\n  "
            f"found    {found}\nRun the command again. If the sum is the same then, the file on the server is "
            "another one: ask its publisher, and if it is right say --sha256 NAME=SUM."
        )


def _download(url: str, part: Path) -> None:
    begun = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": f"cpunet/{__version__}", "Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as response:
            _receive(response, part, begun)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Either all has come, which the sum will tell, or the file on the server became shorter.
            whole = error.headers.get("Content-Range", "") == f"bytes */{begun}"
            if whole:
                return
            part.unlink()
            raise DataError(f"{url}: what had come so far does not fit the file; run the command again.") from error
        raise DataError(f"{url}: the server answers {error.code} {error.reason}.") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise DataError(f"{url}: the download failed ({error}). Run the command again to go on from there.") from error


def _receive(response: http.client.HTTPResponse, part: Path, begun: int) -> None:
    resumed = response.status == http.client.PARTIAL_CONTENT
    if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
        raise http.client.HTTPException("the server sends another part of the file than was asked for")
    # A server that knows no ranges sends all from the beginning.
    begun = begun if resumed else 0
    length = response.headers.get("Content-Length")
    total = begun + int(length) if length is not None else None
    if (total or 0) > LARGEST_BYTES:
        raise DataError(f"{response.url}: the file has {total} bytes, more than any that is asked for here.")
    require_space(part.parent, (total or begun) - begun, part.stem)
    received = begun
    bar = tqdm(desc=part.stem, total=total, initial=begun, unit="B", unit_scale=True, disable=None)
    with part.open("ab" if resumed else "wb") as stream, bar:
        while block := response.read(CHUNK):
            received += len(block)
            if received > LARGEST_BYTES:
                raise DataError(f"{response.url}: the server does not stop; more than {LARGEST_BYTES} bytes came.")
            stream.write(block)
            bar.update(len(block))
    if total is not None and received != total:
        raise http.client.HTTPException(f"the connection broke off after {received} of {total} bytes")

import io
import os
import subprocess
import sys

import pytest

from cpunet.terminal import LastingStream, lasting_streams, printable, report
from tests.places import REPOSITORY


class Failing(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), True),
        (ValueError("closed file"), True),
        (BrokenPipeError(32, "x"), False),
    ],
)
def test_text_that_cannot_be_printed_is_lost_without_an_error(error, told):
    stream = LastingStream(Failing(error))
    print("one", file=stream)
    print("two", file=stream, flush=True)
    assert (stream.failure is error) == told


def test_letters_that_a_console_lacks_become_escapes():
    behind = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    stream = LastingStream(behind)
    print("核.tif", file=stream, flush=True)
    assert behind.buffer.getvalue() == b"\\u6838.tif" + os.linesep.encode()
    assert stream.failure is None


def test_a_program_without_streams_runs(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with lasting_streams() as output:
        report("a line")
        report("an error", sys.stderr)
    assert output.failure is None
    assert sys.stdout is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.tif", "a b.tif"),
        ("核.tif", "核.tif"),
        ("a\nFAILED b.tif", "a\\nFAILED b.tif"),
        ("\x1b[2J.tif", "\\x1b[2J.tif"),
    ],
)
def test_names_of_files_cannot_make_lines_or_move_the_cursor(name, shown):
    assert printable(name) == shown


def run_cpunet(shell_end):
    command = f'"{sys.executable}" -m cpunet {shell_end}'
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
@pytest.mark.parametrize(
    ("shell_end", "code", "said"),
    [
        ("models | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("--help | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("segment --help | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("doctor | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("models > /dev/full", 2, "what it printed is not complete: [Errno 28] No space left on device"),
        ("models 2> /dev/full > /dev/null", 0, ""),
        ("models >&-", 0, ""),
        ("models >&- 2>&-", 0, ""),
    ],
)
def test_commands_end_quietly_where_nobody_listens(shell_end, code, said):
    result = run_cpunet(shell_end)
    assert result.returncode == code
    assert said in result.stderr
    assert result.stderr.count("\n") == bool(said)

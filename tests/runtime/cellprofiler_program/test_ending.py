import os
import signal
import subprocess
import sys

import pytest

from cpunet.cellprofiler_program import ending

READY = "import signal, time; signal.signal(signal.SIGTERM, signal.{}); print('ready', flush=True); time.sleep(60)"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("handler", "ended_by"), [("SIG_DFL", "SIGTERM"), ("SIG_IGN", "SIGKILL")])
def test_a_process_is_asked_to_end_and_then_forced(monkeypatch, handler, ended_by):
    monkeypatch.setattr(ending, "SECONDS_TO_END", 0.5)
    with subprocess.Popen([sys.executable, "-c", READY.format(handler)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        ending.end(process)
        assert process.returncode == -getattr(signal, ended_by)

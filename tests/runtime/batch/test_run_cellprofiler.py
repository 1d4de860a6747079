"""CellProfiler's processes, plain and forked; a package of a few lines stands in for CellProfiler."""

import json
import os
import signal
import socket
import sys
import threading
import time

import pytest

from cpunet.batch.run_cellprofiler import SERVER_VARIABLE, loaded_once, run_cellprofiler
from cpunet.errors import BatchError

LONGEST_SECONDS = 60
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the server")
MAIN = """
import json, logging, os, sys, time
import numpy, random
logging.basicConfig(format="%(message)s", level=logging.INFO)
if __name__ == "__main__":
    what = sys.argv[1]
    if what == "say":
        logging.info("a line of the log")
        loaded = os.environ.get("LOADED_BY")
        print(json.dumps([sys.argv[1:], os.getcwd(), loaded, int(numpy.random.randint(10 ** 9)), random.random()]))
    elif what == "fail":
        raise ValueError("it fails")
    elif what == "exit":
        sys.exit(int(sys.argv[2]))
    elif what == "kill":
        os.kill(os.getpid(), 9)
    elif what == "work":
        while time.process_time() < 0.5:
            pass
    elif what == "wait":
        open(sys.argv[2], "w").write(str(os.getpid()))
        time.sleep(600)
"""

PREFERENCES = """
def set_headless(): pass
def set_plugin_directory(path, globally): pass
"""
MODULES = """
import logging, os
logging.warning("a module is missing")
print("it talks")
os.environ["LOADED_BY"] = str(os.getpid())
"""


@pytest.fixture
def environment(tmp_path):
    """Of a Python that has the stand-in."""
    packages = tmp_path / "packages"
    for path, text in {
        "cellprofiler/__init__.py": "",
        "cellprofiler/__main__.py": MAIN,
        "cellprofiler_core/__init__.py": "",
        "cellprofiler_core/preferences.py": PREFERENCES,
        "cellprofiler_core/modules.py": MODULES,
        "onnxruntime/__init__.py": "",
    }.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text)
    return {**os.environ, "PYTHONPATH": str(packages)}


@pytest.fixture(params=["plain", pytest.param("forked", marks=LINUX)])
def of_runs(request, environment):
    """The environment of runs that are processes of their own, or forked."""
    if request.param == "plain":
        yield environment
        return
    with loaded_once(sys.executable, "plugins", environment) as found:
        assert SERVER_VARIABLE in found
        yield found


def cellprofiler(*words):
    return [sys.executable, "-m", "cellprofiler", *words]


def test_a_run_gets_its_arguments_and_its_log(of_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    for number in "12":
        log = tmp_path / f"log-{number}.txt"
        assert run_cellprofiler(cellprofiler("say", number), of_runs, log).exit_code == 0
        first, second = log.read_text().splitlines()
        assert first == "a line of the log", "no handler of the modules that were loaded is left"
        said.append(json.loads(second))
    assert [words for words, *_ in said] == [["say", "1"], ["say", "2"]]
    assert {folder for _, folder, *_ in said} == {str(tmp_path)}
    forked = SERVER_VARIABLE in of_runs
    assert [loaded is not None for _, _, loaded, *_ in said] == [forked] * 2
    assert len({loaded for _, _, loaded, *_ in said}) == 1
    assert said[0][3] != said[1][3]
    assert said[0][4] != said[1][4]


def test_a_script_is_run_as_well(of_runs, tmp_path):
    script, log = tmp_path / "a.py", tmp_path / "log.txt"
    script.write_text("import sys\nif __name__ == '__main__':\n    print(sys.argv[1:])\n    sys.exit(3)\n")
    assert run_cellprofiler([sys.executable, str(script), "b", "c"], of_runs, log).exit_code == 3
    assert log.read_text() == "['b', 'c']\n"


@pytest.mark.parametrize(("words", "code"), [(("fail",), 1), (("exit", "255"), 255), (("kill",), -9), (("work",), 0)])
def test_how_a_run_ends_is_told(of_runs, tmp_path, words, code):
    log = tmp_path / "log.txt"
    ended = run_cellprofiler(cellprofiler(*words), of_runs, log)
    assert ended.exit_code == code
    assert ("ValueError: it fails" in log.read_text()) == (words == ("fail",))
    assert ended.seconds > 0
    if words == ("work",):
        assert 0.4 < ended.cpu_seconds < 5


def test_a_run_ends_with_the_step_that_waits_for_it(of_runs, tmp_path):
    pid_file = tmp_path / "pid"

    def interrupt():
        end = time.monotonic() + LONGEST_SECONDS
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_cellprofiler(cellprofiler("wait", str(pid_file)), of_runs, tmp_path / "log.txt")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@LINUX
def test_the_end_of_the_batch_ends_the_server_and_its_runs(environment, tmp_path):
    pid_file, ended = tmp_path / "pid", []

    def run(found):
        ended.append(run_cellprofiler(cellprofiler("wait", str(pid_file)), found, tmp_path / "log.txt"))

    with loaded_once(sys.executable, "plugins", environment) as found:
        path = found[SERVER_VARIABLE]
        waiting = threading.Thread(target=run, args=(found,))
        waiting.start()
        end = time.monotonic() + LONGEST_SECONDS
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
    waiting.join(LONGEST_SECONDS)
    assert [each.exit_code for each in ended] == [-signal.SIGTERM]
    assert not os.path.exists(os.path.dirname(path))
    log = tmp_path / "after.txt"
    assert run_cellprofiler(cellprofiler("say"), found, log).exit_code == 0, "without the server, a plain process"
    assert json.loads(log.read_text().splitlines()[1])[2] is None


@LINUX
def test_a_client_that_ends_before_it_asks_disturbs_no_other(environment, tmp_path):
    with loaded_once(sys.executable, "plugins", environment) as found:
        for asked in (b"", b'{"command": ["python"'):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(found[SERVER_VARIABLE])
                client.sendall(asked)
        assert run_cellprofiler(cellprofiler("exit", "7"), found, tmp_path / "log.txt").exit_code == 7


@LINUX
def test_a_python_without_cellprofiler_gets_no_server(environment, tmp_path):
    environment["PYTHONPATH"] = ""
    with loaded_once(sys.executable, "plugins", {**environment, "PYTHONNOUSERSITE": "1"}) as found:
        if SERVER_VARIABLE in found:
            pytest.skip("this Python has CellProfiler")
        assert run_cellprofiler(cellprofiler("say"), found, tmp_path / "log.txt").exit_code == 1
        assert "cellprofiler" in (tmp_path / "log.txt").read_text()
    with loaded_once(str(tmp_path / "nothing"), "plugins", environment) as found:
        assert SERVER_VARIABLE not in found


@LINUX
def test_a_server_that_is_lost_is_no_silent_success(tmp_path):
    folder = tmp_path if len(str(tmp_path)) < 80 else pytest.skip("the path of the socket is too long")
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close()).start()
        with pytest.raises(BatchError, match=r"the process that starts CellProfiler for the batch"):
            run_cellprofiler(cellprofiler("say"), {**os.environ, SERVER_VARIABLE: path}, tmp_path / "log.txt")


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    with pytest.raises(BatchError, match=r"nothing: the Python with CellProfiler cannot be started"):
        run_cellprofiler([str(tmp_path / "nothing"), "-m", "cellprofiler"], dict(os.environ), tmp_path / "log.txt")

import pytest

from cpunet.batch.folder import BatchFolder, Piece, Request
from cpunet.batch.run_piece import command_of_piece, environment_of_piece, fault_of

DONE = {"exit_code": 0, "done": "Complete", "log": "Image # 1\n"}
TRACEBACK = """Error detected during run of module IdentifyObjectsUNet
Traceback (most recent call last):
  File "a.py", line 1, in run
ValueError: it is empty
Sat Nov 28: Image # 1, module IdentifyObjectsUNet # 5: CPU_time = 0.17 secs
"""


def test_a_run_that_is_complete_has_no_fault():
    assert fault_of(**DONE) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exit_code": 1}, "exit code 1, done-file Complete"),
        ({"done": ""}, "exit code 0, done-file missing"),
        ({"done": "Failure", "exit_code": 255}, "exit code 255, done-file Failure"),
        ({"exit_code": -9, "done": ""}, "signal 9"),
        # CellProfiler was told to go on after errors: its exit code is 0, and an image set is missing.
        ({"log": TRACEBACK}, "run of module IdentifyObjectsUNet: ValueError: it is empty"),
        ({"log": "Failed to complete post_run processing for module ExportToSpreadsheet.\n"}, "ExportToSpreadsheet"),
    ],
)
def test_whatever_is_not_complete_is_a_fault(change, said):
    assert said in fault_of(**{**DONE, **change})


def test_the_command_is_that_of_a_headless_run(tmp_path):
    request = Request("/a.cppipe", "0", "/images", 5, "/cp/python", "/plugins")
    folder = BatchFolder(tmp_path)
    words = command_of_piece(request, folder, Piece("1", 6, 10), tmp_path / "o", tmp_path / "d")
    assert words[:5] == ["/cp/python", "-m", "cellprofiler", "-c", "-r"]
    pairs = dict(zip(words[5::2], words[6::2]))
    assert (pairs["-f"], pairs["-l"]) == ("6", "10")
    assert pairs["-p"] == str(folder.batch_file)


def test_no_library_gets_more_threads_than_the_piece(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    found = environment_of_piece(3)
    assert (found["CPUNET_THREADS"], found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("3", "3", "1")


def test_java_compiles_no_more_than_it_needs_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    assert environment_of_piece(1)["JAVA_TOOL_OPTIONS"] == "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:+UseG1GC")
    assert environment_of_piece(1)["JAVA_TOOL_OPTIONS"] == "-XX:+UseG1GC"

from cpunet.cellprofiler_program.log import RunLog, models_in

DONE = "Sat Nov 28 00:17:26 2026: Image # {}, module {} # {}: CPU_time = 0.16 secs, Wall_time = {} secs"
FAILED = """\
pipeline_exception
Error detected during run of module IdentifyPrimaryObjects
Traceback (most recent call last):
  File "/usr/lib/cellprofiler_core/pipeline.py", line 1016, in run_with_yield
    self.run_module(module, workspace)
cellprofiler_core.errors.ReaderError: not a TIFF: a.tif
"""


def read(*lines):
    log = RunLog()
    return log, [log.add(f"{line}\n") for line in lines]


def test_the_seconds_of_each_module_are_those_by_the_clock():
    log, events = read(DONE.format(1, "IdentifyPrimaryObjects", 8, "0.40"), DONE.format(2, "Crop", 5, "12.07"), "other")
    assert log.seconds == {(1, 8): 0.4, (2, 5): 12.07}
    assert events == [(1, "IdentifyPrimaryObjects"), (2, "Crop"), None]
    assert log.failures == {}


def test_a_failed_field_is_told_with_the_module_and_its_reason():
    log, _ = read(
        DONE.format(6, "IdentifyPrimaryObjects", 4, "0.1"),
        *FAILED.splitlines(),
        DONE.format(7, "IdentifyPrimaryObjects", 4, "0.1"),
        DONE.format(8, "IdentifyPrimaryObjects", 4, "0.1"),
    )
    assert log.failures == {7: "IdentifyPrimaryObjects: not a TIFF: a.tif"}
    assert log.last_error == "not a TIFF: a.tif"


def test_an_earlier_error_is_not_taken_for_the_reason():
    log, _ = read("ModuleNotFoundError: No module named 'MySQLdb'", "Error detected during run of module Crop")
    log.add(DONE.format(1, "Crop", 2, "0.1"))
    assert log.failures == {1: "Crop: CellProfiler does not say why"}


def test_the_models_of_a_log_are_named_once():
    line = "IdentifyObjectsUNet (module {}), image set {}: model Dr. O'Grün, 2, SHA-256 {}, on CPUExecutionProvider\n"
    log = line.format(5, 1, "a" * 64) + "between\n" + line.format(5, 2, "a" * 64) + line.format(7, 1, "b" * 64)
    assert models_in(log) == [
        {"module": "5", "model": "Dr. O'Grün, 2", "sha256": "a" * 64, "provider": "CPUExecutionProvider"},
        {"module": "7", "model": "Dr. O'Grün, 2", "sha256": "b" * 64, "provider": "CPUExecutionProvider"},
    ]

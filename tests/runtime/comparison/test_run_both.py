import os
import sys

import pytest

from cpunet.cellprofiler_program import ending
from cpunet.cellprofiler_program.log import RunLog
from cpunet.comparison.pipeline_of_both import PipelineOfBoth
from cpunet.comparison.run_both import run_both
from cpunet.errors import ComparisonError

# What stands in for CellProfiler says its command line, and writes that there are two fields.
STAND_IN = """\
import json, sys
words = sys.argv[1:]
records = words[words.index("-o") + 1]
json.dump({number: {"DNA": f"{number}.tif"} for number in (1, 2)}, open(records + "/fields.json", "w"))
print(json.dumps(words))
for word in words:
    if word.startswith("--file-list="):
        print(open(word.partition("=")[2]).read())
"""


@pytest.fixture
def run(tmp_path):
    program = tmp_path / "program.py"

    def of(images, loads_data=False, first=None, code=STAND_IN):
        program.write_text(code)
        folder = tmp_path / "work"
        folder.mkdir()
        pipeline = PipelineOfBoth("text", (), (), loads_data)
        return run_both(pipeline, images, folder, [sys.executable, str(program)], first=first)

    return of


def test_all_files_of_folders_and_subfolders_are_given_as_addresses(run, tmp_path):
    images = tmp_path / "plate ä"
    (images / "A01").mkdir(parents=True)
    for name in ("b.tif", "A01/a.tif"):
        (images / name).write_bytes(b"")
    lone = tmp_path / "lone.tif"
    lone.write_bytes(b"")
    said = list(run([images, lone, lone]).log.lines)
    expected = [(images / "b.tif").as_uri(), (images / "A01" / "a.tif").as_uri(), lone.as_uri()]
    assert [line for line in said if line.startswith("file:")] == expected
    assert '"--always-continue"' in said[0]
    assert f'"-i", "{images!s}"'.replace("ä", "\\u00e4") in said[0]


def test_the_first_fields_alone(run, tmp_path):
    found = run([tmp_path], first=1)
    assert list(found.fields) == [1]
    assert '"-l", "1"' in found.log.lines[0]


def test_load_data_gets_its_table(run, tmp_path):
    table = tmp_path / "images.csv"
    table.write_text("")
    said = run([table], loads_data=True).log.lines[0]
    assert f"--data-file={table}" in said
    assert "--file-list" not in said


def test_load_data_without_a_table_is_refused(run, tmp_path):
    image = tmp_path / "a.tif"
    image.write_bytes(b"")
    with pytest.raises(ComparisonError, match="Give its CSV file"):
        run([image], loads_data=True)


def test_images_that_are_not_there_are_named(run, tmp_path):
    with pytest.raises(ComparisonError, match=r"nothing\.tif: there is no such file or folder"):
        run([tmp_path / "nothing.tif"])


def test_if_nothing_runs_the_log_is_shown(run, tmp_path, capsys):
    with pytest.raises(ComparisonError, match="CellProfiler ran no field: no wx here"):
        run([tmp_path], code="raise ImportError('no wx here')")
    assert "CellProfiler: ImportError: no wx here" in capsys.readouterr().err


def test_without_an_error_the_images_did_not_fit(run, tmp_path):
    with pytest.raises(ComparisonError, match="the pipeline made no image sets of these images"):
        run([tmp_path], code="")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_cellprofiler_that_does_not_end_when_asked_is_ended_by_force(run, tmp_path, monkeypatch):
    monkeypatch.setattr(ending, "SECONDS_TO_END", 0.5)

    def interrupt(log, line):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunLog, "add", interrupt)
    code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += f"open({str(tmp_path / 'id')!r}, 'w').write(str(os.getpid()))\nprint('ready', flush=True); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        run([tmp_path], code=code)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)

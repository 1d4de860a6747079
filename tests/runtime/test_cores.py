import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cpunet import cores
from cpunet.checks.synthetic import synthetic_field
from cpunet.cores import cores_allowed, cores_by_quota, threads_within_limits
from cpunet.errors import OptionError
from tests.places import REPOSITORY

NO_GROUP = ""
VERSION_2 = "0::/job/step\n"
VERSION_1 = "5:memory:/job\n4:cpu,cpuacct:/job/step\n1:cpuset:/\n"
CASES = {
    "no control groups": (NO_GROUP, {}, None),
    "no limit": (VERSION_2, {"job/step/cpu.max": "max 100000\n"}, None),
    "the group's own": (VERSION_2, {"job/step/cpu.max": "150000 100000\n"}, 1.5),
    "of the group above": (VERSION_2, {"job/cpu.max": "200000 100000", "job/step/cpu.max": "max 100000"}, 2.0),
    "the smaller of two": (VERSION_2, {"job/cpu.max": "100000 100000", "job/step/cpu.max": "400000 100000"}, 1.0),
    "in a container": ("0::/../other\n", {"cpu.max": "50000 100000"}, 0.5),
    "unreadable": (VERSION_2, {"job/cpu.max": "none"}, None),
    "version 1": (
        VERSION_1,
        {"cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"},
        3.0,
    ),
    "version 1, mounted as cpu": (VERSION_1, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2.0),
    "version 1 without a limit": (VERSION_1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request, tmp_path):
    groups, files, expected = request.param
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    return tmp_path / "proc", tmp_path / "groups", expected


def test_the_quota_of_control_groups_is_read(case):
    proc, groups, expected = case
    assert cores_by_quota(proc, groups) == expected


@pytest.mark.parametrize(
    ("of_computer", "bound_to", "quota", "allowed"),
    [
        (8, {0, 1, 2}, None, 3),
        (8, set(range(8)), 2.5, 3),
        (8, {5}, 4.0, 1),
        (2, set(range(64)), None, 2),
        (4, {1}, 0.1, 1),
    ],
)
def test_the_smallest_limit_counts(monkeypatch, of_computer, bound_to, quota, allowed):
    monkeypatch.setattr(os, "cpu_count", lambda: of_computer)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: bound_to, raising=False)
    monkeypatch.setattr(cores, "cores_by_quota", lambda: quota)
    assert cores_allowed() == allowed
    assert threads_within_limits(0) == (0 if allowed == of_computer else allowed)
    assert threads_within_limits(1) == 1
    assert threads_within_limits(100) == allowed


def test_the_number_in_the_environment_is_a_limit_too(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    monkeypatch.setattr(cores, "cores_by_quota", lambda: None)
    for text, allowed in (("2", 2), (" 2 ", 2), ("64", 6), ("", 6)):
        monkeypatch.setenv("CPUNET_THREADS", text)
        assert cores_allowed() == allowed
        assert threads_within_limits(0) == allowed
        assert threads_within_limits(64) == allowed


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_what_is_no_number_of_threads_is_named(monkeypatch, text):
    monkeypatch.setenv("CPUNET_THREADS", text)
    with pytest.raises(OptionError, match=f"CPUNET_THREADS is '{text}' in the environment"):
        cores_allowed()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds a process to cores")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize(
    "limit", ["os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})", "os.environ['CPUNET_THREADS'] = '1'"]
)
def test_a_session_has_no_thread_outside_the_cores_of_its_process(tiny_model, limit):
    code = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY / "plugins")!r})
{limit}
from pathlib import Path
from cpunet.model.session import import_onnxruntime, load_model
import_onnxruntime()
before = set(os.listdir("/proc/self/task"))
load_model(Path({str(tiny_model)!r}), "cpu")
print(len(set(os.listdir("/proc/self/task")) - before))
"""
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert said.strip() == "0"


@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset is a program of Linux")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize("more", [[], ["--threads", "8"]])
def test_under_taskset_no_thread_may_run_elsewhere(tiny_model, tmp_path, more):
    field = (synthetic_field((120, 150), columns=4, diameter_px=20).image * 4095).astype(np.uint16)
    tifffile.imwrite(str(tmp_path / "a.tif"), field)
    words = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--model", str(tiny_model), *more]
    code = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY / "plugins")!r})
from cpunet.__main__ import main
assert main({words!r}) == 0
for task in os.listdir("/proc/self/task"):
    with open(f"/proc/self/task/{{task}}/status") as stream:
        print(*[line for line in stream if line.startswith("Cpus_allowed_list")])
"""
    core = max(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(core), sys.executable, "-c", code]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = {line.split(":")[1].strip() for line in said.splitlines() if line.startswith("Cpus_allowed_list")}
    assert found == {str(core)}

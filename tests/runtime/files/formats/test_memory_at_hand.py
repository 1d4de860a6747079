import subprocess
import sys

import pytest

from cpunet.errors import ImageError
from cpunet.files.formats import memory_at_hand
from cpunet.files.formats.memory_at_hand import bytes_at_hand, left_in_control_groups, refuse_more_than_memory
from tests.places import REPOSITORY


def test_what_fits_passes_and_what_does_not_is_refused(monkeypatch):
    monkeypatch.setattr(memory_at_hand, "bytes_at_hand", lambda: 10**9)
    refuse_more_than_memory(5000, 5000, 2)  # 0.45 GB
    with pytest.raises(ImageError, match=r"8000 x 8000 pixels, which need at least 1\.2 GB of memory, and 1\.0 GB are"):
        refuse_more_than_memory(8000, 8000, 2)


def test_where_the_system_tells_nothing_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory_at_hand, "bytes_at_hand", lambda: None)
    refuse_more_than_memory(10**6, 10**6, 1)


def of_group(folder, limit, used, cached):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


def test_every_control_group_above_the_process_limits_it_and_the_cache_of_files_is_free(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/job/step\n")
    assert left_in_control_groups(proc, groups) == []
    of_group(groups, "max", 9_000_000, 0)
    of_group(groups / "job", 5_000_000, 4_000_000, 100_000)
    of_group(groups / "job" / "step", 3_000_000, 2_500_000, 400_000)
    assert sorted(left_in_control_groups(proc, groups)) == [900_000, 1_100_000]


def test_what_the_control_groups_leave_counts(monkeypatch):
    monkeypatch.setattr(memory_at_hand, "left_in_control_groups", lambda: [900_000, 1_100_000])
    assert bytes_at_hand() == 900_000


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is enforced on Linux")
def test_a_limit_of_the_shell_counts():
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); "
    code += "from cpunet.files.formats.memory_at_hand import bytes_at_hand; print(bytes_at_hand())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "plugins", capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 2**31

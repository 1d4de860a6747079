import subprocess
import sys

import pytest

from cpunet.errors import ImageError
from cpunet.files.formats import memory_at_hand
from cpunet.files.formats.memory_at_hand import bytes_at_hand, refuse_more_than_memory
from tests.places import REPOSITORY


def test_what_fits_passes_and_what_does_not_is_refused(monkeypatch):
    monkeypatch.setattr(memory_at_hand, "bytes_at_hand", lambda: 10**9)
    refuse_more_than_memory(5000, 5000, 2)  # 0.45 GB
    with pytest.raises(ImageError, match=r"8000 x 8000 pixels, which need at least 1\.2 GB of memory, and 1\.0 GB are"):
        refuse_more_than_memory(8000, 8000, 2)


def test_where_the_system_tells_nothing_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory_at_hand, "bytes_at_hand", lambda: None)
    refuse_more_than_memory(10**6, 10**6, 1)


def test_a_containers_limit_counts_and_the_cache_of_files_is_free(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_at_hand, "CGROUP", tmp_path)
    before = bytes_at_hand()
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 400000\n")
    assert bytes_at_hand() == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert before is None or bytes_at_hand() > 900_000


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is enforced on Linux")
def test_a_limit_of_the_shell_counts():
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); "
    code += "from cpunet.files.formats.memory_at_hand import bytes_at_hand; print(bytes_at_hand())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "plugins", capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 2**31

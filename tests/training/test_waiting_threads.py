import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="OpenMP shows its settings in another way")


def openmp_settings(modules, **given):
    """Return what OpenMP itself says of its settings once modules are loaded in a new process."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        env={**own, "OMP_DISPLAY_ENV": "true", **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("modules", ["cpunet.training.commands.train", "cpunet.export, torch"])
def test_threads_that_wait_leave_the_cores_to_others(modules):
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in openmp_settings(modules)


def test_a_user_may_let_them_spin():
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in openmp_settings("cpunet.training, torch", OMP_WAIT_POLICY="active")

"""Each Python collects what it has the packages for."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("cellprofiler_core") is None:
    collect_ignore += ["test_bundles.py"]
else:
    import tests.start_host  # noqa: F401
if find_spec("torch") is None:
    collect_ignore += ["test_installed_wheel.py"]

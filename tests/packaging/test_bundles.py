"""The zips for CellProfiler's installed application: what is in them, and that one of them runs."""

import base64
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.pipeline_text import replace_primary_objects
from bundles import build_bundles as bundles
from bundles.wheels import VERSION, WHEELS, BundleError, Wheel, fetch_wheel
from tests.packaging.host_packages import link_host_packages
from tests.places import REPOSITORY

# In the first field of ExampleFly. Another processor rounds differently, which may change a doubtful nucleus.
NUCLEI = pytest.approx(30, abs=1)
PYTHON = "{}.{}".format(*sys.version_info)
# The folder of finished bundles, set by `make bundles`; without it the tests use small wheels that they make.
FINISHED = os.environ.get("CPUNET_BUNDLES")
finished = pytest.mark.skipif(not FINISHED, reason="`make bundles` builds the bundles and runs this")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this runs the bundle for Linux")


def write_wheel(folder, python, platform, files):
    """Write a wheel of onnxruntime that has the given files, and return how a bundle pins it."""
    tag = "cp" + python.replace(".", "")
    path = folder / f"onnxruntime-{VERSION}-{tag}-{tag}-{platform}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Wheel(python, platform, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def small_wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder, {
        system: tuple(
            write_wheel(folder, wheel.python, wheel.platform, {"onnxruntime/__init__.py": f"{system} {wheel.python}"})
            for wheel in wheels
        )
        for system, wheels in WHEELS.items()
    }


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_holds_the_module_the_models_and_the_systems_onnxruntime(tmp_path, small_wheels):
    built = bundles.build_bundles(list(WHEELS), tmp_path / "dist", *small_wheels)
    assert list(built) == ["windows", "macos", "linux"]
    for system, path in built.items():
        files = unpacked(path)
        for python in ("3.8", "3.9"):
            content = files.pop(f"cpunet-plugins/cpunet_packages/python{python}/onnxruntime/__init__.py")
            assert content.decode() == f"{system} {python}"
        expected = {
            "identifyobjectsunet.py": "plugins/identifyobjectsunet.py",
            "LICENSE.txt": "LICENSE",
            "INSTALL.txt": "bundles/INSTALL.txt",
        }
        plugins = REPOSITORY / "plugins"
        kinds = ("*.py", "templates/*.html", "templates/*.js")
        sources = [path.relative_to(plugins).as_posix() for kind in kinds for path in plugins.glob(f"cpunet/**/{kind}")]
        assert len(sources) > 40, "the runtime's folders are walked"
        assert "cpunet/review/templates/review.js" in sources
        expected.update({name: f"plugins/{name}" for name in sources})
        for model in (REPOSITORY / "models").iterdir():
            expected[f"models/{model.name}/model.onnx"] = f"models/{model.name}/model.onnx"
            expected[f"models/{model.name}/README.md"] = f"models/{model.name}/README.md"
        for name, source in expected.items():
            assert files[f"cpunet-plugins/{name}"] == (REPOSITORY / source).read_bytes(), name
        assert not [name for name in files if "__pycache__" in name or name.endswith(".safetensors")]


def test_the_same_sources_give_the_same_bytes(tmp_path, small_wheels):
    first = bundles.build_bundles(["linux"], tmp_path / "first", *small_wheels)["linux"]
    second = bundles.build_bundles(["linux"], tmp_path / "second", *small_wheels)["linux"]
    assert first.read_bytes() == second.read_bytes()


def test_another_file_than_the_pinned_wheel_is_refused(small_wheels):
    folder, wheels = small_wheels
    wheel = wheels["linux"][0]
    path = fetch_wheel(wheel, folder)
    path.write_bytes(path.read_bytes() + b"changed")
    with pytest.raises(BundleError, match=f"{wheel.sha256} was pinned"):
        fetch_wheel(wheel, folder)


def test_a_wheel_whose_files_belong_elsewhere_is_refused(tmp_path):
    write_wheel(tmp_path, "3.9", "win_amd64", {"onnxruntime-1.19.2.data/scripts/tool": ""})
    with pytest.raises(BundleError, match="put elsewhere"):
        bundles.wheel_files(next(tmp_path.glob("*.whl")), "3.9")


@pytest.mark.parametrize(
    ("files", "message"),
    [({"a/" * 100: b""}, "has 215 characters"), ({"large": os.urandom(200)}, "would have")],
    ids=["long path", "large"],
)
def test_a_bundle_that_users_could_not_use_is_not_written(tmp_path, monkeypatch, files, message):
    monkeypatch.setattr(bundles, "LARGEST_BYTES", 150)
    with pytest.raises(BundleError, match=message):
        bundles.write_bundle(tmp_path / "bundle.zip", files)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def linux_bundle(tmp_path_factory):
    """The finished bundle; or one with the onnxruntime of this environment, packed as a wheel is."""
    if FINISHED:
        return Path(FINISHED) / f"cpunet-{bundles.__version__}-linux.zip"
    folder = tmp_path_factory.mktemp("bundle")
    distribution = metadata.distribution("onnxruntime")
    files = {
        str(file): Path(distribution.locate_file(file)).read_bytes()
        for file in distribution.files
        if file.parts[0] != ".." and "__pycache__" not in file.parts
    }
    wheels = {"linux": (write_wheel(folder, PYTHON, "manylinux_2_28_x86_64", files),)}
    return bundles.build_bundles(["linux"], folder / "dist", folder, wheels)["linux"]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Run a Python that has CellProfiler's packages and no other."""
    packages = tmp_path_factory.mktemp("host") / "packages"
    command = link_host_packages(packages)

    def run(*arguments, cwd):
        environment = {**os.environ, "PYTHONPATH": str(packages), "XDG_DATA_HOME": str(cwd / "data")}
        environment.pop("CPUNET_MODELS", None)
        return subprocess.run(
            [*command, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    return run


def count_nuclei(host, folder, plugins, example_fly):
    """Run a field of ExampleFly, with the module in it, through headless CellProfiler; return the number of nuclei."""
    missing = host("-c", "import onnxruntime", cwd=folder)
    assert "No module named 'onnxruntime'" in missing.stderr
    images = folder / "images"
    images.mkdir()
    for path in (example_fly / "images").glob("01_POS002_*"):
        shutil.copy(path, images)
    pipeline = replace_primary_objects((example_fly / "ExampleFly.cppipe").read_text(encoding="utf-8"))
    (folder / "fly.cppipe").write_text(pipeline, encoding="utf-8")
    arguments = ["-c", "-r", "-p", folder / "fly.cppipe", "-i", images, "-o", folder / "output"]
    result = host("-m", "cellprofiler", *arguments, f"--plugins-directory={plugins}", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert (folder / "output" / "Image.csv").is_file(), result.stderr
    with (folder / "output" / "Image.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    return int(float(row["Count_Nuclei"]))


@on_linux
def test_a_pipeline_runs_from_the_unzipped_bundle(tmp_path, linux_bundle, host, example_fly):
    with zipfile.ZipFile(linux_bundle) as archive:
        archive.extractall(tmp_path)
    assert count_nuclei(host, tmp_path, tmp_path / "cpunet-plugins", example_fly) == NUCLEI


@on_linux
@finished
def test_a_pipeline_runs_after_the_commands_of_the_docs(tmp_path, host, example_fly):
    """With the wheels that the bundles were made from, in place of the package index."""
    ignore = shutil.ignore_patterns("__pycache__", "cpunet_packages", "*.safetensors")
    for name in ("plugins", "models"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignore)
    text = (REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    commands = [line.split() for line in text.splitlines() if line.startswith("    python -m pip install --no-deps")]
    assert len(commands) == 2
    offline = ["--no-index", "--find-links", str(REPOSITORY / ".cache" / "wheels")]
    for command in commands:
        subprocess.run([sys.executable, *command[1:], *offline], cwd=tmp_path, check=True)
    assert count_nuclei(host, tmp_path, tmp_path / "plugins", example_fly) == NUCLEI


@on_linux
def test_the_models_of_the_bundle_are_listed(tmp_path, linux_bundle, host):
    with zipfile.ZipFile(linux_bundle) as archive:
        archive.extractall(tmp_path)
    result = host("-m", "cpunet", "models", cwd=tmp_path / "cpunet-plugins")
    assert result.returncode == 0, result.stderr
    for model in (REPOSITORY / "models").iterdir():
        assert str(tmp_path / "cpunet-plugins" / "models" / model.name / "model.onnx") in result.stdout


@finished
@pytest.mark.parametrize("system", WHEELS)
def test_a_finished_bundle_holds_the_published_files(system):
    path = Path(FINISHED) / f"cpunet-{bundles.__version__}-{system}.zip"
    assert path.stat().st_size <= 60_000_000
    files = unpacked(path)
    assert max(map(len, files)) <= 200
    for wheel in WHEELS[system]:
        folder = f"cpunet-plugins/cpunet_packages/python{wheel.python}/"
        inside = {name[len(folder) :]: content for name, content in files.items() if name.startswith(folder)}
        info = f"onnxruntime-{VERSION}.dist-info/"
        tags = [line[5:] for line in inside[info + "WHEEL"].decode().splitlines() if line.startswith("Tag: ")]
        assert f"{wheel.tag}-{wheel.tag}-{wheel.platform}" in tags
        recorded = list(csv.reader(inside.pop(info + "RECORD").decode().splitlines()))
        sums = {name: sum_ for name, sum_, _ in recorded if sum_}
        assert set(sums) == set(inside)
        for name, content in inside.items():
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert sums[name] == f"sha256={found}", name
        library = [name for name in inside if name.startswith("onnxruntime/capi/onnxruntime_pybind11_state")]
        assert len(library) == 1
        assert library[0].endswith(".pyd" if system == "windows" else ".so")

import pytest

from benchmarks.speed.picture import draw
from benchmarks.speed.series import PartOfRun, Series, read_part, write_part
from benchmarks.speed.share_of_limit import limit_of
from benchmarks.speed.table import page

MACHINE = {
    "processor": "Some CPU",
    "model": "7",
    "features": ["avx2"],
    "cores": 2,
    "memory_gib": 8,
    "gpu_memory_gib": None,
    "system": "Linux 6",
    "python": "3.9.1",
    "packages": {"numpy": "1.23.5"},
    "variables": {"OMP_NUM_THREADS": "1"},
    "busy_before": 0.0,
}
FIELD = "drawn 100x100"
OF_MODULE = [
    Series("module", FIELD, 2, "IdentifyPrimaryObjects", "seconds", (0.4, 0.5, 0.6)),
    Series("module", FIELD, 2, "net", "seconds", (0.2, 0.25, 0.35)),
    Series("stages", FIELD, 2, "net", "network", (0.1, 0.3)),
    Series("stages", FIELD, 2, "net", "declump", (0.1, 0.1)),
    Series("processes", FIELD, 2, "IdentifyPrimaryObjects", "images a second", (2.0,), "2 processes"),
    Series("processes", FIELD, 2, "net", "images a second", (3.0,), "2 processes"),
]
# 10 000 pixels at 1000 MAC take 0.1 s at 0.1 GMAC/s, and at 8 bytes 0.08 s at 0.001 GB/s.
OF_LIMIT = [
    Series("limit", "1024x1024", 2, "torch", "GMAC/s", (0.05, 0.1, 0.2), "float32"),
    Series("limit", "1024x1024", 2, "onnxruntime", "GMAC/s", (0.04,), "float32"),
    Series("limit", "1024x1024", 2, "torch", "GMAC/s", (0.4,), "bf16"),
    Series("limit", "", 2, "copy of memory", "GB/s", (0.001,)),
    Series("limit", "", 0, "net", "MAC a pixel", (1000.0,), "float32"),
    Series("limit", "", 0, "net", "bytes a pixel", (8.0,), "float32"),
    Series("networks", FIELD, 2, "torch eager", "seconds", (0.125,), "float32"),
    Series("networks", FIELD, 2, "torch eager, GPU", "seconds", (0.001,), "float32"),
]


@pytest.fixture
def parts():
    return {
        "module": PartOfRun(MACHINE, list(OF_MODULE), []),
        "limit": PartOfRun({**MACHINE, "busy_before": 0.4}, list(OF_LIMIT), ["torch compiled: no compiler"]),
    }


def test_what_is_written_is_read_again(parts, tmp_path):
    write_part(tmp_path / "new" / "module.json", parts["module"])
    assert read_part(tmp_path / "new" / "module.json") == parts["module"]


def test_medians_spread_and_ratios_are_shown(parts):
    text = page(parts)
    assert "| drawn 100x100 | 2 | net | 0.25 (0.2 to 0.35) | 0.50 |" in text
    assert "| drawn 100x100 | 2 | 2 processes | net | 3 | 1.50 |" in text
    assert "- torch compiled: no compiler" in text


def test_stages_have_their_share_of_the_whole(parts):
    assert "| drawn 100x100 | 2 | net | 0.200 (67%) | 0.100 (33%) | 33% |" in page(parts)


def test_the_machine_and_its_load_are_told(parts):
    text = page(parts)
    assert "Some CPU (model 7), 2 cores, 8 GiB" in text
    assert "OMP_NUM_THREADS=1" in text
    assert "**Other programs take 40% of this machine's cores." in text


def test_the_limit_is_the_longer_of_work_and_bytes():
    assert limit_of(OF_LIMIT, "net", 10_000, 2) == pytest.approx((0.1, 0.08))
    half = limit_of(OF_LIMIT, "net", 10_000, 2, "bf16")
    assert half == pytest.approx((0.025, 0.04))
    assert half.seconds == pytest.approx(0.04)
    assert limit_of(OF_LIMIT, "net", 10_000, 1) is None
    assert limit_of(OF_LIMIT, "unknown", 10_000, 2) is None


def test_the_share_of_the_limit_is_shown(parts):
    text = page(parts)
    assert "| alone | drawn 100x100 | 2 | torch eager, float32 | 0.1 | 0.08 | 0.125 | 0.80 |" in text
    assert "| in the module | drawn 100x100 | 2 | net | 0.1 | 0.08 | 0.2 | 0.50 |" in text


def test_a_model_of_two_forms_has_a_share_under_the_name_of_each_form_alone(parts):
    name = "nuclei_fluorescence"
    for model in (name, f"{name}_int8"):
        parts["module"].series.append(Series("stages", FIELD, 2, model, "network", (0.2,)))
        for quantity, value in (("MAC a pixel", 1000.0), ("bytes a pixel", 8.0)):
            parts["limit"].series.append(Series("limit", "", 0, model, quantity, (value,), "float32"))
    text = page(parts)
    assert f"| in the module | drawn 100x100 | 2 | {name}_int8 | 0.1 | 0.08 | 0.2 | 0.50 |" in text
    assert f"| in the module | drawn 100x100 | 2 | {name} |" not in text


def test_a_gpu_has_a_limit_of_its_own(parts):
    assert "torch eager, GPU, float32" not in page(parts)
    of_gpu = [
        Series("limit", "8192x8192", 2, "torch, GPU", "GMAC/s", (20.0,), "float32"),
        Series("limit", "", 2, "copy of memory, GPU", "GB/s", (0.2,)),
    ]
    parts["limit"].series.extend(of_gpu)
    text = page(parts)
    assert "| alone | drawn 100x100 | 2 | torch eager, GPU, float32 | 0.0005 | 0.0004 | 0.001 | 0.50 |" in text
    assert "| alone | drawn 100x100 | 2 | torch eager, float32 | 0.1 | 0.08 | 0.125 | 0.80 |" in text


def test_the_picture_is_the_same_each_time(parts, tmp_path):
    draw(parts, tmp_path / "first.png")
    draw(parts, tmp_path / "second.png")
    content = (tmp_path / "first.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "second.png").read_bytes()


def test_there_is_no_picture_of_nothing(tmp_path):
    draw({"start": PartOfRun(MACHINE, [], [])}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()

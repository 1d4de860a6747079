import pytest

from cpunet import processor
from cpunet.processor import multiplies_8_bits_fast


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("fpu avx2 avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
        ("fpu amx_tile amx_int8", True),
        ("fpu avx2 avx512f avx512_vnni_of_tomorrow", False),
        ("fpu avx2", False),
    ],
)
def test_linux_names_the_instructions_of_the_processor(tmp_path, flags, fast):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nbugs\t: amx_int8\nflags\t\t: {flags}\n")
    assert multiplies_8_bits_fast(tmp_path) is fast


def test_a_processor_of_arm_was_not_measured(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n")
    assert multiplies_8_bits_fast(tmp_path) is False


@pytest.mark.parametrize(
    ("features", "fast"), [({"AVX512VNNI": True}, True), ({"AVX512VNNI": False}, False), ({}, False)]
)
def test_elsewhere_numpy_is_asked(tmp_path, monkeypatch, features, fast):
    monkeypatch.setattr(processor, "_features_of_numpy", lambda: features)
    assert multiplies_8_bits_fast(tmp_path) is fast


def test_numpy_tells_its_features():
    assert "AVX2" in processor._features_of_numpy() or "ASIMD" in processor._features_of_numpy()

import csv
import json

import numpy as np
import pytest
import tifffile

from benchmarks.bbbc050.__main__ import AS_VOLUME, PLANE_BY_PLANE, main
from tests.tiny_volumes import balls, tiny_volume_onnx


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two volumes of three balls each, in the layout of BBBC050."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("images", "labels"):
        (root / "bbbc050" / folder).mkdir(parents=True)
    names = ("Emb1", "Emb2", "Emb3")
    for seed, name in enumerate(names):
        volume, labels = balls((14, 60, 60), [(4, 18, 18), (9, 42, 20), (7, 30, 44)], 16, z_step_px=2.2, seed=seed)
        pixels = np.round(100 + 1000 * np.clip(volume, 0, 2)).astype(np.uint16)
        tifffile.imwrite(root / "bbbc050" / "images" / f"{name}.tif", pixels)
        tifffile.imwrite(root / "bbbc050" / "labels" / f"{name}.tif", labels.astype(np.uint8))
    with (root / "bbbc050" / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, ["id", "modality", "split"])
        rows.writeheader()
        rows.writerows({"id": name, "modality": "", "split": "train" if name == "Emb3" else "val"} for name in names)
    return root


def test_models_of_volumes_and_of_images_are_scored_side_by_side(root, tiny_model, tmp_path, capsys):
    (tmp_path / "volumes.onnx").write_bytes(tiny_volume_onnx())
    words = ["--data", str(root), "--models", str(tmp_path / "volumes.onnx"), str(tiny_model), "--scale", "1"]
    assert main([*words, "--json", str(tmp_path / "new" / "scores.json")]) == 0
    found = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert [each["seen"] for each in found] == [AS_VOLUME, PLANE_BY_PLANE]
    printed = capsys.readouterr().out
    for each in found:
        assert [row["id"] for row in each["volumes"]] == ["Emb1", "Emb2"]
        assert each["mean"]["truth_count"] == 6
        assert each["mean"]["seg"] == pytest.approx(np.mean([row["seg"] for row in each["volumes"]]))
        assert 0.5 < each["mean"]["seg"] <= 1
        assert f"| {each['mean']['seg']:.3f} | {each['mean']['iou']:.3f} |" in printed


def test_a_split_without_volumes_is_refused(root, tiny_model):
    with pytest.raises(ValueError, match="no volume of the split 'test'"):
        main(["--data", str(root), "--models", str(tiny_model), "--split", "test"])

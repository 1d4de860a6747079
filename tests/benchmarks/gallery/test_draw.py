import csv

import numpy as np
import PIL.Image
from matplotlib.colors import to_rgb

from benchmarks.gallery import draw
from benchmarks.gallery.draw import main
from tests.synthetic_data_set import write_data_set


def test_a_gallery_is_drawn_without_images_that_were_trained_on(tmp_path, tiny_model, monkeypatch, capsys):
    write_data_set(tmp_path / "data" / "drawn", ["val"] * 3)
    with (tmp_path / "data" / "drawn" / "index.csv").open("a", newline="") as stream:
        csv.writer(stream).writerow(["f1", "fluorescence", "train", ""])
    (tmp_path / "models" / "standin").mkdir(parents=True)
    tiny_model.rename(tmp_path / "models" / "standin" / "model.onnx")
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    kinds = [("drawn", "fluorescence")]
    monkeypatch.setattr(draw, "SHOWN", {"standin": kinds, "absent": kinds})
    assert main(["--data", str(tmp_path / "data"), "--output", str(tmp_path / "gallery")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| standin |") == 2
    assert "| f1 |" not in printed
    assert "absent is skipped: There is no model 'absent'" in printed
    assert [path.name for path in (tmp_path / "gallery").iterdir()] == ["standin.png"]
    with PIL.Image.open(tmp_path / "gallery" / "standin.png") as drawn:
        pixels = np.array(drawn.convert("RGB")).astype(int)
    for color in (draw.TRUTH, draw.PREDICTION):
        away = np.abs(pixels - 255 * np.array(to_rgb(color))).max(axis=2)
        # The legend's line alone has fewer.
        assert (away < 40).sum() > 300

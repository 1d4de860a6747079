from cpunet.onnx_reader.metadata import sha256
from tests.export.card_files import card, put
from tests.tiny_onnx import changed_card, tiny_onnx


def test_the_page_says_what_the_card_says(tmp_path, capsys):
    content = changed_card(
        version="3.1.4",
        authors=["A. Curie", "B. Noether"],
        citation="doi:10.1/2",
        input={
            "channels": ["red", "green", "blue"],
            "divisible_by": 11,
            "min_size": 33,
            "normalization": {"percentile_low": 1.5, "percentile_high": 98.5, "clip_high": 6.5},
            "diameter_px": 21.5,
            "diameter_low_px": 12.5,
            "diameter_high_px": 43.5,
            "pixel_size_um": 0.325,
        },
        output={"roles": ["foreground", "distance"], "halo": 77},
        postprocessing={
            "foreground_threshold": 0.55,
            "marker_threshold": 0.35,
            "marker_min_size_px": 19,
            "min_size_px": 29,
            "dilation_px": 2.5,
            "fill_holes": True,
        },
        provenance={
            "data": [{"name": "my set", "images": 98, "objects": 11181, "licence": "CC0", "sha256": "5" * 64}],
            "seed": 7,
            "commit": "50cf7f542fed",
            "command": "cpunet train x.yaml && cpunet export y",
            "start_from": {"name": "another", "sha256": "6" * 64},
        },
        scores={"set a": {"images": 50, "mean_f1": 0.9027, "mood": 0.5}, "set b": {"mean_f1": 0.5}},
        mood="good",
    )
    path = put(tmp_path / "model.onnx", tiny_onnx(card=content, channels=3, out_channels=2))
    assert card("show", path) == 0
    page = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in page.splitlines()]
    words = " ".join(page.split())
    for expected in (
        *(
            "tiny 3.1.4",
            "A sigmoid of the normalized intensity.",
            "License CC0-1.0",
            "A. Curie, B. Noether",
            "doi:10.1/2",
        ),
        *("channels red, green, blue; gray images too", "modality fluorescence", "0.325 micrometers"),
        *("percentiles 1.5 and 98.5 of each", "between -1 and 6.5", "multiples of 11 pixels, 33 or more"),
        *(
            "21.5 pixels in diameter; no rescaling from 12.5 to 43.5",
            "distance 0 at an object's edge",
            "halo 77 pixels",
        ),
        *("foreground above 0.55, markers above 0.35", "at least 19 pixels", "objects of at least 29", "grown by 2.5"),
        *("holes in an object filled", "my set 98 images; 11181 objects; CC0 SHA-256 " + "5" * 64, "seed 7"),
        *("commit 50cf7f542fed", "fine-tuned from another SHA-256 " + "6" * 64, 'mood "good"', sha256(path), str(path)),
    ):
        assert expected in words, expected
    assert "set images mean F1 mood" in lines
    assert "set a 50 0.903 0.500" in lines
    assert "set b - 0.500 -" in lines
    assert [line for line in lines if line.startswith("cpunet ")] == ["cpunet train x.yaml", "cpunet export y"]


def test_a_page_of_the_least_that_a_card_may_hold(tiny_model, capsys):
    assert card("show", tiny_model) == 0
    assert "none given" in capsys.readouterr().out

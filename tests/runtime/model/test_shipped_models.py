"""Every model that is shipped, as it lies in models/."""

import os
import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.forms import INT8_FORMS
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from tests.places import REPOSITORY

MODELS = REPOSITORY / "models"
SHIPPED = sorted(MODELS.glob("*/model.onnx"))
# A folder with labeled public data sets, if there is one.
DATA = Path(os.environ.get("CPUNET_DATA", REPOSITORY / "data"))
# Mean F1 on the first ten validation images of a set, by model and by the set's name in its card.
FIRST_TEN = {
    ("nuclei_fluorescence", "bbbc039"): 0.9245,
    ("nuclei_fluorescence", "dsb2018 fluorescence"): 0.7096,
    ("nuclei_fluorescence", "mnfinder"): 0.6496,
    ("nuclei_fluorescence_1", "bbbc039"): 0.9328,
    ("nuclei_fluorescence_1", "dsb2018"): 0.7153,
    ("nuclei_fluorescence_int8", "bbbc039"): 0.9241,
    ("nuclei_fluorescence_int8", "dsb2018 fluorescence"): 0.7097,
    ("nuclei_fluorescence_int8", "mnfinder"): 0.6436,
    ("nuclei_generalist", "bbbc039"): 0.9041,
    ("nuclei_generalist", "dsb2018 brightfield_colour"): 0.5071,
    ("nuclei_generalist", "dsb2018 brightfield_grey"): 0.5923,
    ("nuclei_generalist", "dsb2018 fluorescence"): 0.6713,
    ("nuclei_generalist", "mnfinder"): 0.5633,
    ("phase_cells", "phase_cells"): 0.4600,
}

every_model = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
of_nuclei = pytest.mark.parametrize(
    "path",
    [path for path in SHIPPED if read_card(path).input.modality == "fluorescence"],
    ids=lambda path: path.parent.name,
)


def f1(path, field, **options):
    found = segment_image(field.image, load_model(path), Options(**options))
    return pool_scores([score_image(field.labels, found.labels)]).f1[0.5]


@every_model
def test_the_folder_is_complete_and_small(path):
    assert path.stat().st_size < 15e6
    card = read_card(path)
    assert card.name == path.parent.name
    assert card.scores
    assert card.provenance["command"]
    assert all(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) for entry in card.provenance["data"])
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    assert sha256(path) in readme
    if "precision" not in card.provenance:  # one of reduced precision is fine-tuned from the float32 model's weights
        assert sha256(path.with_name("weights.safetensors")) in readme
    assert card.licence in readme
    for scores in card.scores.values():
        assert f"{scores['mean_f1']:.3f}" in readme


@of_nuclei
@pytest.mark.parametrize("diameter", [14, 28, 45])
def test_separate_nuclei_of_many_sizes_are_found_with_defaults(path, diameter):
    assert f1(path, synthetic_field((256, 256), columns=256 // (2 * diameter), diameter_px=diameter)) == 1


@of_nuclei
def test_touching_nuclei_are_split(path):
    assert f1(path, synthetic_field((300, 300), columns=4, diameter_px=30, touching=True)) > 0.85


@of_nuclei
def test_nuclei_of_an_unknown_size_are_found_if_their_diameter_is_given(path):
    field = synthetic_field((600, 600), columns=3, diameter_px=120)
    assert f1(path, field, diameter_px=120) == 1


@every_model
@pytest.mark.parametrize("seed", range(3))
def test_an_empty_well_gives_no_object(path, seed):
    noise = np.random.default_rng(seed).normal(100, 3, (256, 256))
    assert segment_image(noise, load_model(path)).labels.max() == 0


@every_model
def test_tiles_change_next_to_nothing(path):
    field = synthetic_field((400, 480), columns=8, diameter_px=28, touching=True)
    model = load_model(path)
    whole = segment_image(field.image, model)
    side = 2 * model.card.output.halo + 64  # of which the halo is dropped on each side
    assert side < min(field.image.shape)
    tiled = segment_image(field.image, model, Options(tile_shape=(side, side)))
    assert np.abs(tiled.probabilities - whole.probabilities).max() < 0.02
    assert (tiled.labels > 0).sum() == pytest.approx((whole.labels > 0).sum(), rel=1e-3)


def test_each_score_of_a_card_has_a_recorded_one():
    scored = {(path.parent.name, name) for path in SHIPPED for name in read_card(path).scores}
    # Color images read as a stain: only training reads them so.
    as_stain = {each for each in scored if each[1].endswith("hematoxylin")}
    assert scored - as_stain == set(FIRST_TEN)


@pytest.mark.parametrize("name", list(INT8_FORMS))
def test_the_form_in_8_bits_scores_as_the_model_itself(name):
    """The two stand for each other, so the score over all objects may differ by 0.002 at most."""
    scores, of_int8 = (read_card(MODELS / each / "model.onnx").scores for each in (name, INT8_FORMS[name]))
    assert set(of_int8) == set(scores)
    objects = [values["objects"] for values in scores.values()]
    differences = [abs(of_int8[data]["mean_f1"] - values["mean_f1"]) for data, values in scores.items()]
    assert np.average(differences, weights=objects) < 0.002
    # Two or three objects of a small set are a hundredth.
    assert all(each < 0.002 for each, count in zip(differences, objects) if count > 1000)


@pytest.mark.parametrize(("model_name", "set_name"), FIRST_TEN)
def test_scores_on_real_images_stay_the_same(model_name, set_name):
    """An object or two may differ: other processors round differently. benchmarks/accuracy.py scores all images."""
    from benchmarks.labeled_images import labeled_images

    folder, _, modality = set_name.partition(" ")
    if not (DATA / folder).is_dir():
        pytest.skip("the public images are not here: set CPUNET_DATA")
    model = load_model(MODELS / model_name / "model.onnx")
    of_model = model.card.input.modality
    images = islice(labeled_images(DATA / folder, "val", modality or ("" if of_model == "any" else of_model)), 10)
    scores = pool_scores([score_image(image.labels, segment_image(image.image, model).labels) for image in images])
    assert scores.mean_f1 == pytest.approx(FIRST_TEN[model_name, set_name], abs=0.004)

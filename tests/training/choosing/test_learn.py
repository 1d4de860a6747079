"""A choice is judged on images that it did not see, and said to pay only where it does."""

from dataclasses import replace

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.options import Options
from cpunet.scores import pool_scores
from cpunet.training.choosing.examples import candidates_of
from cpunet.training.choosing.learn import folds_of, learn, score_of_choice
from cpunet.training.choosing.regressor import fitted, predicted
from cpunet.training.choosing.texts import advice, gain_text, pays, scores_as_json, scores_table
from cpunet.training.data.labeled_images import read_index


@pytest.fixture(scope="module")
def candidates(touching, model_paths):
    from cpunet.model.session import load_model

    return candidates_of([load_model(path) for path in model_paths], read_index(touching), Options())


@pytest.fixture(scope="module")
def learned(candidates):
    return learn(candidates, ["narrow", "wide"])


def test_trees_learn_what_the_features_tell():
    rng = np.random.default_rng(0)
    features = rng.random((600, 4)).astype(np.float32)
    iou = np.where(features[:, 2] > 0.5, 0.9, 0.2)
    found = predicted(fitted(features[:400], iou[:400]), features[400:])
    assert np.abs(found - iou[400:]).mean() < 0.05
    assert 0 <= found.min() <= found.max() <= 1
    again = predicted(fitted(features[:400], iou[:400]), features[400:])
    np.testing.assert_array_equal(found, again)
    assert len(predicted(fitted(features, iou), features[:0])) == 0


def test_a_perfect_prediction_chooses_no_worse_than_either_model(candidates):
    chosen = pool_scores([score_of_choice(each, each.iou.astype(np.float32)) for each in candidates.images])
    for number in range(2):
        assert chosen.mean_f1 >= pool_scores([each.scores[number] for each in candidates.images]).mean_f1


def test_each_image_is_chosen_by_trees_that_did_not_see_it(candidates, learned):
    images = candidates.images
    for fold in folds_of(images)[:2]:
        seen = [each for place, each in enumerate(images) if place not in fold]
        features = np.concatenate([each.features for each in seen])
        regressor = fitted(features, np.concatenate([each.iou for each in seen]))
        for place in fold:
            assert learned.choice[place] == score_of_choice(images[place], predicted(regressor, images[place].features))


def test_each_image_is_held_out_once_and_groups_stay_together(candidates):
    images = candidates.images
    assert sorted(place for fold in folds_of(images) for place in fold) == list(range(len(images)))
    assert len(folds_of(images)) == 5
    grouped = [replace(each, row=replace(each.row, group=f"g{place // 2}")) for place, each in enumerate(images)]
    for fold in folds_of(grouped):
        assert {place ^ 1 for place in fold} == set(fold)
    with pytest.raises(DataError, match="All images are of one group"):
        folds_of([replace(each, row=replace(each.row, group="one")) for each in images])


def test_the_gain_is_that_over_the_best_single_model(learned):
    scores = learned.pooled()
    assert list(scores) == ["narrow", "wide", "average", "choice"]
    best = max(("narrow", "wide"), key=lambda name: scores[name].mean_f1)
    gain = learned.gain
    assert gain.over == best
    assert gain.mean_f1 == pytest.approx(scores["choice"].mean_f1 - scores[best].mean_f1)
    assert gain.low <= gain.mean_f1 <= gain.high
    over_average = learned.gain_over_average
    assert over_average.mean_f1 == pytest.approx(scores["choice"].mean_f1 - scores["average"].mean_f1)
    assert f"{gain.mean_f1:+.3f}" in gain_text(gain)
    assert 0 < learned.correlation <= 1


def test_the_table_and_the_json_hold_the_scores(learned):
    lines = scores_table(learned.pooled())
    assert [line.split()[0] for line in lines[:5]] == ["method", "narrow", "wide", "average", "choice"]
    assert f"{learned.pooled()['choice'].mean_f1:.3f}" in lines[4]
    content = scores_as_json(learned)
    assert content["images"] == 8
    assert content["cross_validated"]["choice"]["mean F1"] == pytest.approx(
        learned.pooled()["choice"].mean_f1, abs=1e-4
    )
    assert set(content["gains"]) == {learned.gain.over, "the average"}


def test_advice_says_whether_it_pays(learned):
    perfect = learned.single[learned.best]
    worse = replace(learned, choice=learned.single[1 - learned.best])
    assert not pays(worse)
    assert "does not pay" in " ".join(advice(worse))
    same = replace(learned, choice=perfect)
    assert not pays(same)
    better = tuple(replace(each, tp=(each.truth_count,) * 10, prediction_count=each.truth_count) for each in perfect)
    surely = replace(learned, choice=better)
    assert pays(surely)
    assert surely.gain.low > 0
    assert advice(surely) == []
    assert "--combine average" in " ".join(advice(replace(surely, average=better)))
    fewer = tuple(replace(each, pixels_both=each.pixels_both // 2) for each in better)
    assert "the Dice of all pixels falls" in " ".join(advice(replace(surely, choice=fewer)))
    one = tuple(better[0] if place == 0 else each for place, each in enumerate(perfect))
    assert "no larger than chance" in " ".join(advice(replace(surely, choice=one)))


def test_too_few_candidates_are_refused(candidates):
    with pytest.raises(DataError, match="50 in two images are the least"):
        learn(replace(candidates, images=candidates.images[:1]), ["narrow", "wide"])


def test_images_without_a_labeled_object_teach_nothing(candidates):
    images = tuple(replace(each, iou=np.zeros_like(each.iou)) for each in candidates.images)
    with pytest.raises(DataError, match="objects that the models found overlaps a labeled one"):
        learn(replace(candidates, images=images), ["narrow", "wide"])


def test_without_an_average_there_is_no_gain_over_it(candidates):
    images = tuple(replace(each, of_average=None) for each in candidates.images)
    learned = learn(replace(candidates, images=images), ["narrow", "wide"])
    assert learned.gain_over_average is None
    assert list(learned.pooled()) == ["narrow", "wide", "choice"]

import pytest

from cpunet.review.counting import ALL_EXPERTS, ALL_SETS, Counts, score_rows
from cpunet.review.saved_file import read_saved
from tests.review_files import line, write_saved


@pytest.mark.parametrize(
    ("predicted", "false", "missed", "expected"),
    [
        (10, 2, 4, (0.8, 8 / 12, 16 / 22, 8 / 14)),
        (10, 0, 0, (1, 1, 1, 1)),
        (10, 10, 0, (0, 1, 0, 0)),
        (0, 0, 3, (1, 0, 0, 0)),
        (0, 0, 0, (1, 1, 1, 1)),
    ],
)
def test_true_positives_are_what_was_found_without_what_is_false(predicted, false, missed, expected):
    counts = Counts(1, predicted, false, missed)
    assert counts.tp == predicted - false
    assert (counts.precision, counts.recall, counts.dice, counts.iou) == pytest.approx(expected)


def test_sets_and_experts_are_scored_apart_and_together(tmp_path):
    rows = [("p1", "a", 1, 2), ("p1", "b", 3, 0), ("p2", "c", 0, 5)]
    anna = write_saved(tmp_path / "a.csv", *(line(name, f, m, set_name=s) for s, name, f, m in rows))
    last = line("c", set_name="p2", expert="Ben")
    ben = write_saved(tmp_path / "b.csv", *(line(n, 0, 1, set_name=s, expert="Ben") for s, n, *_ in rows[:2]), last)
    found = {row[:2]: row.counts for row in score_rows([read_saved(anna), read_saved(ben)])}
    assert found == {
        ("p1", "Anna"): Counts(2, 20, 4, 2),
        ("p1", "Ben"): Counts(2, 20, 0, 2),
        ("p1", ALL_EXPERTS): Counts(4, 40, 4, 4),
        ("p2", "Anna"): Counts(1, 10, 0, 5),
        ("p2", ALL_EXPERTS): Counts(1, 10, 0, 5),
        (ALL_SETS, "Anna"): Counts(3, 30, 4, 7),
        (ALL_SETS, "Ben"): Counts(2, 20, 0, 2),
        (ALL_SETS, ALL_EXPERTS): Counts(5, 50, 4, 9),
    }


def test_one_set_and_one_expert_are_one_row(tmp_path):
    saved = read_saved(write_saved(tmp_path / "a.csv", line("a", 1, 0)))
    assert [row[:2] for row in score_rows([saved])] == [("s", "Anna")]

import numpy as np

from benchmarks.time_lapse.links import FoundObject, pooled, score_links, true_links

# Track 1 stays, 2 divides into 3 and 4, 5 leaves, 6 comes in.
LABELS = np.zeros((3, 12, 30), np.int32)
LABELS[:, 2:5, 2:5] = 1
LABELS[0, 2:5, 12:16] = 2
LABELS[1:, 2:5, 11:14], LABELS[1:, 2:5, 14:17] = 3, 4
LABELS[0, 9:12, 2:5] = 5
LABELS[2, 8:12, 20:24] = 6
PARENTS = {3: 2, 4: 2}
VISIBLE = [{1, 2, 5}, {1, 3, 4}, {1, 3, 4, 6}]
TRUE = {(0, 1, 1), (0, 2, 3), (0, 2, 4), (1, 1, 1), (1, 3, 3), (1, 4, 4)}


def objects(parents):
    """The objects at the centers of the nuclei, numbered as their tracks; `parents`: by frame and track."""
    found = []
    for frame, tracks in enumerate(VISIBLE):
        for track in sorted(tracks):
            y, x = np.nonzero(LABELS[frame] == track)
            parent = parents.get((frame, track), 0)
            found.append(FoundObject(frame, track, y.mean(), x.mean(), frame - 1 if parent else -1, parent))
    return found


ALL = {(1, 1): 1, (1, 3): 2, (1, 4): 2, (2, 1): 1, (2, 3): 3, (2, 4): 4}


def test_true_links_are_to_itself_and_from_mother_to_daughters():
    assert true_links(VISIBLE, PARENTS) == TRUE


def test_links_that_are_all_right():
    score = score_links(LABELS, VISIBLE, PARENTS, objects(ALL))
    assert score[:3] == (6, 6, 6)
    assert (score.true_divisions, score.right_divisions) == (2, 2)
    assert (score.true_touching, score.right_touching) == (4, 4)
    assert (score.true_at_edge, score.right_at_edge) == (0, 0)


def test_swapped_lost_and_invented_links_are_wrong():
    swapped = score_links(LABELS, VISIBLE, PARENTS, objects({**ALL, (2, 3): 4, (2, 4): 3}))
    assert swapped[:3] == (6, 4, 6)
    lost = score_links(LABELS, VISIBLE, PARENTS, objects({key: ALL[key] for key in ALL if key != (1, 4)}))
    assert (lost[:3], lost.right_divisions) == ((6, 5, 5), 1)
    invented = score_links(LABELS, VISIBLE, PARENTS, objects({**ALL, (2, 6): 1}))
    assert invented[:3] == (6, 6, 7)


def test_a_link_over_a_gap_is_none_between_neighboring_frames():
    found = [each._replace(parent_frame=0) if each[:2] == (2, 1) else each for each in objects(ALL)]
    assert score_links(LABELS, VISIBLE, PARENTS, found)[:3] == (6, 5, 5)


def test_a_clump_stands_for_one_nucleus_and_a_piece_for_none():
    found = [each for each in objects(ALL) if each[:2] != (1, 4)]  # 3 and 4 were found as one object, named 3
    assert score_links(LABELS, VISIBLE, PARENTS, found)[:3] == (6, 4, 4)
    piece = FoundObject(1, 9, 3.4, 3.4, -1, 0)
    assert score_links(LABELS, VISIBLE, PARENTS, [*objects(ALL), piece])[:3] == (6, 6, 6)


def test_scores_are_added_up():
    score = score_links(LABELS, VISIBLE, PARENTS, objects(ALL))
    assert pooled([score, score]) == tuple(2 * each for each in score)

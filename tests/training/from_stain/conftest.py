import pytest

from benchmarks.phase_like.pairs import drawn_labels, make_pair, write_pairs


@pytest.fixture(scope="session")
def drawn_pairs():
    """Six clean pairs of drawn nuclei."""
    return [make_pair(f"f{seed}", drawn_labels(seed)) for seed in range(6)]


@pytest.fixture(scope="session")
def pair_folder(drawn_pairs, tmp_path_factory):
    """The same as files; not to be changed."""
    folder = tmp_path_factory.mktemp("pairs") / "drawn"
    write_pairs(drawn_pairs, folder)
    return folder

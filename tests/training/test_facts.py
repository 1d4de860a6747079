from pathlib import Path

from cpunet.training.facts import current_commit


def test_where_git_is_not_installed_no_commit_is_known(monkeypatch):
    """Training ended with "No such file or directory: 'git'"."""
    monkeypatch.setenv("PATH", "")
    assert current_commit(Path(__file__).parent) == ""


def test_a_folder_outside_git_has_no_commit(tmp_path):
    assert current_commit(tmp_path) == ""

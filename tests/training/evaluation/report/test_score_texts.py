from dataclasses import replace

from cpunet.training.evaluation.report.score_texts import terminal_table


def test_the_table_of_the_terminal(evaluation):
    lines = terminal_table(evaluation)
    rows = [line[:16].strip() for line in lines]
    assert rows[0] == "set or modality"
    assert rows[1::2] == rows[2::2] == ["all", "one", "two", "fluorescence", "phase_contrast"]
    assert len({len(line) for line in lines}) == 1
    assert f"{evaluation.methods[1].pooled.mean_f1:.3f}" in lines[2]


def test_one_set_and_one_modality_are_not_repeated(evaluation):
    alone = tuple(replace(method, images=method.images[2:]) for method in evaluation.methods)
    assert len(terminal_table(replace(evaluation, methods=alone))) == 3

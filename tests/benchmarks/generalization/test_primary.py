from benchmarks.generalization.primary import candidates, tuned_primary


def settings(module):
    chosen = module.threshold
    return (
        tuple(module.size_range.value),
        chosen.global_operation.value,
        chosen.two_class_otsu.value,
        chosen.assign_middle_to_foreground.value,
    )


def test_all_candidates_differ():
    found = list(candidates())
    assert len({settings(each.module) for each in found}) == len({each.words for each in found}) == 16


def test_the_best_is_chosen():
    best = tuned_primary(lambda module: settings(module)[0] == (10, 40) and "Otsu" in settings(module)[1])
    assert best.words == "Otsu, two classes, 10 to 40 px"
    assert settings(best.module)[:3] == ((10, 40), "Otsu", "Two classes")

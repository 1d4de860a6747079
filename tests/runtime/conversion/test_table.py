from cpunet.conversion.convert import Request, convert
from cpunet.conversion.table import said_of
from tests.primary_pipelines import SETTINGS, pipeline_text, primary_text


def said(revision, **values):
    settings = [(text, values.get(text, name)) for text, name in SETTINGS[revision]]
    content = pipeline_text(revision, [primary_text(revision, 1, settings=settings)]).encode("utf-8")
    (exchange,) = convert(content, Request()).exchanges
    return " ".join(" ".join(said_of(exchange)).split())


def test_of_old_settings_without_a_counterpart_only_those_that_a_user_changed_are_listed():
    kept = said(9)
    for text in ("Try to merge", "outline", "Laplacian", "LoG", "entropy", "fraction", "binary image"):
        assert text not in kept
    changed = said(9, **{"Try to merge too small objects with nearby larger objects?": "=Yes"})
    assert "Try to merge too small objects with nearby larger objects?: Yes" in changed

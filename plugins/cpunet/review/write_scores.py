"""Score a review, and write what was found: a page, and tables for programs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

from cpunet.files.written_beside import written_beside
from cpunet.report.html_page import write_page
from cpunet.review.agreement import agreements, compared_images
from cpunet.review.counting import score_rows
from cpunet.review.saved_file import SavedReview
from cpunet.review.score_tables import (
    DISAGREE,
    Table,
    agreement_table,
    clicked_sentences,
    errors_table,
    images_table,
    lines_of,
    scores_table,
    text_of,
)

PAGE, SCORES, AGREEMENT, IMAGES = "scores.html", "scores.csv", "agreement.csv", "images.csv"
FILES = (PAGE, SCORES, AGREEMENT, IMAGES)


@dataclass(frozen=True)
class ScoredReview:
    """All that the files of a review say.

    Attributes
    ----------
    identity : str
        The SHA-256 of the review.
    experts, not_judged : list of str
        The names; and sentences on images that an expert did not judge.
    tolerance : int
        Experts disagree on an image where two of them differ by more errors.
    scores, errors, agreement, images : Table
    clicked : list of str
        Sentences on false objects that experts clicked.
    """

    identity: str
    experts: List[str]
    not_judged: List[str]
    tolerance: int
    scores: Table
    errors: Table
    agreement: Table
    images: Table
    clicked: List[str]

    @property
    def disagreeing(self) -> Table:
        """The images on which experts disagree, the largest difference first."""
        rows = [row for row in self.images.rows if row[-1] == DISAGREE]
        return Table(self.images.columns, sorted(rows, key=lambda row: -int(row[-2])))


def score_review(files: Sequence[SavedReview], tolerance: int) -> ScoredReview:
    """Score the files of one review; see `cpunet.review.saved_file.check_together`."""
    experts = [file.expert for file in files]
    pairs = agreements(files)
    not_judged = [
        f"{file.expert} did not judge {len(file.lines) - len(file.images)} of {len(file.lines)} images."
        for file in files
        if len(file.images) < len(file.lines)
    ]
    return ScoredReview(
        files[0].review.identity,
        experts,
        not_judged,
        tolerance,
        scores_table(score_rows(files)),
        errors_table(files),
        agreement_table(pairs),
        images_table(compared_images(files), experts, tolerance),
        clicked_sentences(pairs),
    )


def terminal_text(scored: ScoredReview) -> str:
    """Return the tables as lines for the terminal; of the images, only those on which experts disagree."""
    parts = [lines_of(scored.scores), lines_of(scored.errors)]
    if scored.agreement.rows:
        parts.append(lines_of(scored.agreement))
        shown = scored.disagreeing
        if shown.rows:
            parts.append([f"{disagreement(scored)}:", *lines_of(shown)])
        else:
            parts.append([f"{disagreement(scored)}."])
    parts += [lines for lines in (scored.clicked, scored.not_judged) if lines]
    return "\n\n".join("\n".join(lines) for lines in parts)


def disagreement(scored: ScoredReview) -> str:
    """Say on how many images experts disagree."""
    compared = sum(row[-2] != "" for row in scored.images.rows)
    return (
        f"Two experts differ by more than {scored.tolerance} error{'' if scored.tolerance == 1 else 's'} on "
        f"{len(scored.disagreeing.rows)} of {compared} images that several judged"
    )


def write_scores(folder: Path, scored: ScoredReview) -> None:
    """Write the page and the tables of a review into a folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / SCORES, scored.scores)
    write_table(folder / AGREEMENT, scored.agreement)
    write_table(folder / IMAGES, scored.images)
    content: Dict[str, object] = {
        "scored": scored,
        "disagreement": disagreement(scored),
        "text_of": text_of,
        "mark": DISAGREE,
    }
    write_page(folder / PAGE, "cpunet.review", "scores.html", content)


def write_table(path: Path, table: Table) -> None:
    """Write a table as CSV in UTF-8; scores with four decimals."""
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(table.columns)
        writer.writerows([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in table.rows)

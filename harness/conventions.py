"""Sets of named conventions that benchmarks of a kind share: boxes, short answers, options, typed answers, yes or no.

A task takes a set whole (``conventions=boxes()``), or adds its official scorer's own to it. Not here: what only one benchmark
does, and the parsers, scores and metrics themselves (``harness.parsers``, ``harness.metrics``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from harness.boxes import Frame, from_pixels, pairs_from_pixels, read
from harness.metrics import clicks as clicking
from harness.metrics import grounding, number, pairs, text, vqa
from harness.metrics.aggregate import Estimator, Metric, mean, mean_over, ratio
from harness.metrics.choice import correct, correct_number, yes_no_metrics, yes_no_score
from harness.metrics.marks import first_equal, marked
from harness.parsers.box import (
    all_boxes,
    answer_box,
    bracketed_decimals,
    bracketed_or_rounded,
    first_brackets,
    lenient_numbers,
)
from harness.parsers.choice import letter_forms_then_text, letter_then_text
from harness.parsers.click import click_point, named_coordinates
from harness.parsers.letter import letter_up_to_period, one_option
from harness.parsers.option_mark import mark_after_bracket, mark_alone, single_letter
from harness.parsers.text import as_given, stripped
from harness.parsers.typed import as_written, by_rule, option_or_bare_number, without_decimals
from harness.parsers.values import true_or_false, value_as_given, value_or_none, value_without_line_breaks, verdict
from harness.parsers.yes_no import only_one_of_both, whole_reply
from harness.task import Convention, Parse, Score
from harness.types import Sample

Measure = Callable[[str, Sequence[str]], float]
"""How well a text answers, given the references: 0 to 1."""


def boxes(*further: Metric) -> dict[str, Convention]:
    """One box for one expression, a hit at an IoU of 0.5; ``official`` is the SPHINX authors' (fractions of the padded square).

    Args:
        further: metrics of the benchmark's own over the scores ``hit`` and ``iou``.
    """
    hits = partial(Convention, metrics=(*grounding.HIT_METRICS, *further), primary="accuracy")
    thresholds = partial(Convention, metrics=grounding.THRESHOLD_METRICS, primary="acc@0.5")

    def framed(frame: Frame, note: str = "") -> Convention:
        """For models that answer in another frame: their first box after any reasoning."""
        return hits(parse=answer_box, score=grounding.frame_score(frame), frame=frame, note=note)

    square = hits(parse=first_brackets, score=grounding.frame_score("square"), score_many=grounding.square_scores, frame="square")
    return {
        "official": replace(square, in_frame=lambda frame: square if frame == "square" else framed(frame)),
        "pixels": framed("pixels", "For models that answer in pixels of the picture."),
        "unit": framed("unit", "For models that answer in fractions of the unpadded picture."),
        "thousandths": framed("thousandths", "For models that answer in thousandths of the unpadded picture."),
        "qwen_vl": framed("thousandths_999", "Thousandths divided by 999, as Qwen-VL's own script has them."),
        "vlmevalkit": hits(
            parse=lenient_numbers,
            score=grounding.guessed_frame_score(),
            note="Any four numbers; the frame is guessed from the largest, so pixels up to 1000 are read as thousandths.",
        ),
        "lmms_eval": thresholds(
            parse=bracketed_decimals,
            score=grounding.threshold_score(grounding.in_unit_frame),
            frame="unit",
            note="refcoco_bbox_rec: plain decimals in brackets, fractions of the unpadded picture.",
        ),
        "lmms_eval_grounding": thresholds(
            parse=all_boxes,
            score=grounding.threshold_score(grounding.best_reading),
            note="refcoco_grounding: an oracle; of all boxes, as pixels and as thousandths, the one nearest the reference "
            "counts.",
        ),
    }


def ideal_box(sample: Sample) -> str:
    """The box as SPHINX writes it (`boxes`, ``official``), with more decimals than it has, so that small objects are hit."""
    box = from_pixels(read(sample.references[0]), "square", *grounding.picture_size(sample))
    return f"[{','.join(f'{edge:.5f}' for edge in box)}]"


def clicks() -> dict[str, Convention]:
    """A point in an element of a screen; ``official`` is SeeClick's (fractions of the picture)."""
    scored = partial(Convention, score=clicking.click_score(), metrics=clicking.CLICK_METRICS, primary="average", frame="unit")

    def framed(frame: Frame, note: str = "") -> Convention:
        return scored(parse=click_point(frame), note=note)

    centres = (*clicking.cell_metrics("center_acc")[1:], *grounding.THRESHOLD_METRICS[:-1])
    in_pixels = "For models that answer in pixels of the picture; needs no picture."
    return {
        "official": scored(parse=click_point(), in_frame=framed),
        "square": framed("square", "For models that see the picture padded to a square and answer in fractions of it: SPHINX."),
        "thousandths": framed("thousandths", "For models that answer in thousandths of the picture."),
        "pixels": scored(
            parse=click_point("pixels", "pixels"), score=clicking.click_score("pixels"), frame="pixels", note=in_pixels
        ),
        "vlmevalkit": scored(
            parse=named_coordinates,
            score=clicking.click_score(shrunk=True),
            primary="accuracy",
            note="Only x=.., y=..; no match is the point 0, 0; the box ends a pixel earlier.",
        ),
        "lmms_eval": Convention(
            parse=bracketed_or_rounded,
            score=grounding.threshold_score(grounding.in_unit_frame),
            metrics=centres,
            primary="accuracy",
            frame="unit",
            note="Only boxes, of which the middle counts; without one 0, 0, 0, 0 counts, which lies in elements at the corner.",
        ),
    }


def ideal_click(sample: Sample) -> str:
    """The middle of the element as SeeClick writes it, with more decimals than it has."""
    x1, y1, x2, y2 = read(sample.references[0])
    x, y = pairs_from_pixels(((x1 + x2) / 2, (y1 + y2) / 2), "unit", *grounding.picture_size(sample))
    return f"({x:.5f},{y:.5f})"


def anls(**by: str) -> dict[str, Convention]:
    """Short answers on documents, by the organisers' ANLS and the variants of it in use.

    Args:
        by: names of further metrics, and the groups of types by which they part; several to a sample stand with ``", "`` between.
    """
    parts = (Metric(name=name, estimator=mean("anls"), by=group, separator=", ") for name, group in by.items())
    metrics = (Metric(name="anls", estimator=mean("anls")), *parts)
    scored = partial(Convention, parse=as_given, score=text.text_score("anls", text.anls), metrics=metrics, primary="anls")
    return {
        "official": scored(),
        "vlmevalkit": scored(note="The organisers' rule, in percent."),
        "lmms_eval": scored(
            parse=stripped,
            note="The reply is stripped first, which changes the divisor of padded replies.",
        ),
        "due": scored(
            score=text.text_score("anls", text.due_anls),
            note="DUE benchmark: upper-cased raw strings; a similarity of exactly 0.5 scores 0.",
        ),
        "pix2struct": scored(
            score=text.text_score("anls", partial(text.due_anls, fold=str.lower)),
            note="pix2struct and UReader: as due, lower-cased.",
        ),
    }


def relaxed(metrics: tuple[Metric, ...], primary: str = "accuracy") -> dict[str, Convention]:
    """Numbers within 5 % and texts that are equal, in the readings in use; ``official`` is pix2struct's."""

    def scored(measure: Measure, note: str = "", parse: Parse = as_given) -> Convention:
        score = text.text_score("correct", measure)
        return Convention(parse=parse, score=score, metrics=metrics, primary=primary, note=note)

    return {
        "official": scored(number.relaxed_accuracy),
        "strict": scored(
            number.plain_relaxed_accuracy,
            "Blanks, final periods, thousands commas and dollar signs aside; 0 is a number, 5% is 5 or 0.05; years are exact.",
        ),
        "paper": scored(
            number.swapped_relaxed_accuracy,
            "The SPHINX authors', as Qwen-VL's: the difference is divided by the reply.",
            stripped,
        ),
        "vlmevalkit": scored(
            number.listed_relaxed_accuracy, "A label that looks like a list is several; its own text is then wrong.", stripped
        ),
        "lmms_eval": scored(number.relaxed_accuracy, "The reply is stripped first.", stripped),
    }


VQA_METRICS = tuple(
    Metric(name=name, estimator=mean("accuracy"), by=by)
    for name, by in (("accuracy", None), ("answer_type", "answer_type"), ("question_type", "question_type"))
)
"""VQA accuracy over all questions, and as the official scorer prints it by the types of answers and questions."""


def consensus(official: Measure, lmms_eval: Measure = vqa.textvqa_accuracy) -> dict[str, Convention]:
    """Short answers against those of ten people: VQA accuracy, in the readings that are in use.

    Args:
        official: the benchmark's own.
        lmms_eval: that of lmms-eval's task.
    """

    def scored(measure: Measure, note: str = "") -> Convention:
        return Convention(
            parse=as_given, score=text.text_score("accuracy", measure), metrics=VQA_METRICS, primary="accuracy", note=note
        )

    return {
        "official": scored(official),
        "strict": scored(vqa.always_normalised, "The official normalisation, on both sides and also where all answers agree."),
        "paper": scored(
            vqa.accessory_accuracy, "The SPHINX authors' code: human answers keep their capitals, articles and number words."
        ),
        "vlmevalkit": scored(
            partial(vqa.always_normalised, marks=vqa.VLMEVALKIT),
            "Both sides always normalised; a number keeps its final period.",
        ),
        "lmms_eval": scored(lmms_eval, "Both sides always normalised, as its task for this benchmark does."),
    }


def exact(metrics: tuple[Metric, ...], primary: str = "accuracy") -> dict[str, Convention]:
    """Short answers by exact match after different foldings; benchmarks add their official one."""

    def scored(fold: Callable[[str], str], note: str, strip: bool = False) -> Convention:
        score = text.text_score("correct", text.equals(fold, strip))
        return Convention(parse=as_given, score=score, metrics=metrics, primary=primary, note=note)

    return {
        "paper": scored(text.without_periods, "The SPHINX authors': stripped, lower-cased, every period deleted (3.5 is 35)."),
        "vlmevalkit": scored(text.lowered, "Stripped and lower-cased; a final period is wrong."),
        "lmms_eval": scored(text.without_marks, "Stripped, lower-cased, all ASCII punctuation deleted.", strip=True),
        "llava": scored(text.without_final_periods, "LLaVA's conversion: lower-cased, final periods deleted."),
    }


def extraction(by: str) -> dict[str, Convention]:
    """Values of named properties of documents, by F1 over pairs; ``official`` is DUE's with its recommended ``--ignore-case``.

    Args:
        by: the group that holds the property.
    """
    metrics = (*pairs.pair_metrics(), *pairs.pair_metrics(by=by), Metric(name="correct", estimator=mean("correct")))
    scored = partial(Convention, parse=value_or_none, score=pairs.pair_score(str.upper), metrics=metrics, primary="f1")
    return {
        "official": scored(),
        "case_sensitive": scored(score=pairs.pair_score(), note="DUE's without --ignore-case."),
        "strict": scored(score=pairs.pair_score(spaced), note="Letter case, underscores and blanks aside."),
        "paper": scored(
            parse=value_without_line_breaks, note="UReader's: line breaks are deleted, and an empty reply is a wrong value."
        ),
    }


def verification() -> dict[str, Convention]:
    """Statements that are entailed (``1``) or refuted (``0``), by DUE's F1 and by accuracy."""
    labels = Metric(name="accuracy", estimator=mean("correct"), by="label")
    metrics = (Metric(name="accuracy", estimator=mean("correct")), *pairs.pair_metrics(), labels)
    scored = partial(Convention, score=pairs.pair_score(), metrics=metrics, primary="accuracy")
    return {
        "official": scored(parse=value_as_given),
        "strict": scored(
            parse=verdict, note="The first word that says so counts: 1, true, yes, entailed, supported, or their like."
        ),
        "paper": scored(parse=true_or_false, note="UReader's: true is 1, false is 0, and nothing else is read."),
    }


def spaced(text: str) -> str:
    """Case-fold, with single blanks for underscores and white space: the original Kleister files have ``_`` for a blank."""
    return " ".join(text.casefold().replace("_", " ").split())


def multiple_choice(metrics: tuple[Metric, ...], primary: str) -> dict[str, Convention]:
    """Multiple choice answered with a letter; ``official`` is VLMEvalKit's matching, without its judge."""
    scored = partial(Convention, score=correct, metrics=metrics, primary=primary)
    return {
        "official": scored(parse=letter_then_text),
        "lmms_eval": scored(
            parse=letter_forms_then_text,
            note="Letters in fixed forms, then the likeliest letter anywhere (counted as unparsed). Never a judge.",
        ),
        "strict": scored(parse=one_option, note=STRICT),
    }


STRICT = "One option, named by its letter or else by its text; no article is a letter, and nothing is guessed."
ONE_LETTER = "A letter in either case, or a capital with a period before anything."


def option_letters(
    metrics: tuple[Metric, ...], primary: str, *, official: Parse, lmms_eval: Parse, lmms_note: str = ONE_LETTER
) -> dict[str, Convention]:
    """Multiple choice asked once, read by the benchmark's own rule, by the SPHINX authors', by two toolkits' and strictly."""
    scored = partial(Convention, score=correct, metrics=metrics, primary=primary)
    return {
        "official": scored(parse=official),
        "strict": scored(parse=one_option, note=STRICT),
        "paper": scored(
            parse=letter_up_to_period,
            note="The SPHINX authors': a letter before the first period; where they draw one at random the reply is wrong.",
        ),
        "vlmevalkit": scored(parse=letter_then_text, note="Its matching by letter or text; what it would ask a judge is wrong."),
        "lmms_eval": scored(parse=lmms_eval, note=lmms_note),
    }


def option_marks(by: str) -> dict[str, Convention]:
    """Multiple choice whose options are marked ``(A)``, with a prompt that ends in ``(``; ``official`` is MVBench's own rule.

    Args:
        by: the group that the parts are named by, of which there is a mean too.
    """

    def scored(parse: Parse, score: Score, estimator: Estimator, note: str = "", primary: str = "accuracy") -> Convention:
        parts = Metric(name=f"mean_of_{by}s", estimator=mean_over(by, estimator)), Metric(name=by, estimator=estimator, by=by)
        metrics = (Metric(name="accuracy", estimator=estimator), *parts)
        return Convention(parse=parse, score=score, metrics=metrics, primary=primary, note=note)

    return {
        "official": scored(mark_after_bracket, marked, mean("correct")),
        "strict": scored(one_option, correct, mean("correct"), STRICT),
        "vlmevalkit": scored(
            mark_alone,
            marked,
            mean("counted"),
            "The rule without the bracket in front; empty replies and failed calls count as right.",
        ),
        "lmms_eval": scored(
            single_letter,
            first_equal,
            ratio("correct", "answered"),
            "The first single letter A to E, an article too; empty replies are left out of the count.",
            f"mean_of_{by}s",
        ),
    }


def typed(metrics: tuple[Metric, ...], primary: str) -> dict[str, Convention]:
    """Answers of a stated type (`harness.parsers.typed`), read by rule, or taken out of the reply by a judge already."""
    scored = partial(Convention, score=correct, metrics=metrics, primary=primary)
    return {
        "official": scored(parse=by_rule(as_written), extracted=as_written),
        "vlmevalkit": scored(
            parse=option_or_bare_number,
            extracted=option_or_bare_number,
            score=correct_number,
            note="Options by letter or text without a nearest one; decimals are not rounded; lists are always wrong.",
        ),
        "lmms_eval": scored(
            parse=by_rule(without_decimals),
            extracted=without_decimals,
            note="Decimal questions are always wrong: their precision is read as a float.",
        ),
    }


def yes_no(by: str) -> dict[str, Convention]:
    """Yes or no, as two toolkits score it; benchmarks have official scorers of their own.

    Args:
        by: the group of categories that VLMEvalKit reports.
    """
    return {
        "vlmevalkit": Convention(
            parse=only_one_of_both,
            score=yes_no_score(unknown="negative"),
            metrics=(*yes_no_metrics(), *yes_no_metrics(by=by)),
            primary="f1",
            note="F1 of all questions pooled; a reply with both words or neither is wrong, and a no in F1.",
        ),
        "lmms_eval": Convention(
            parse=whole_reply,
            score=yes_no_score(unknown="ignored"),
            metrics=yes_no_metrics(yes_ratio="truth"),
            primary="f1",
            note="Only a bare yes or no counts; other replies are left out of F1; its yes_ratio is that of the labels.",
        ),
    }

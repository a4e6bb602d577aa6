"""A letter in the fixed forms that ScienceQA's and AI2D's scorers accept; everything else is unread.

Not here: letters anywhere in a reply and options by their text (`harness.parsers.choice`), but for `one_option`, which reads a
text where no letter is named. Several rules, since "B. gold" is a letter for most of them, "b" for few.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from harness.parsers.text import stripped
from harness.prompts import letters
from harness.types import Parsed, Sample

_FIVE = "ABCDE"
_SENTENCE = re.compile(r"The answer is ([A-Z]).")
_BEFORE_PERIOD = re.compile(r"\s*([A-Z])\.")
_BRACKETED = re.compile(r"[(（]([A-Za-z])[)）]")
_LEADING = re.compile(r"\W*([A-Za-z])(?:\s*[.,:;)，。：、]|\W*$)")
_SAID = re.compile(
    r"(?:(?i:answer|option|choice)(?:\s+(?i:is))?|选项?|答案)[是为]?[\s:：*\"'“]*"
    r"([A-Z](?=[^\w\s]|\s*$|[\u4e00-\u9fff])|[B-Z](?=\W)|[a-z](?=[^\w\s]|\s*$))"
)


def letter_or_sentence(reply: str, sample: Sample) -> Parsed:
    """LLaVA's rule for ScienceQA: a letter A to E alone, or before ``". "``, or in the only ``The answer is X.``.

    That last needs a character behind the letter, any but a line's end. Nothing is stripped, so ``"B "`` is unread, and so is the
    letter of an option that the question does not have.
    Source: haotian-liu/LLaVA llava/eval/eval_science_qa.py at c121f04.
    """
    if reply in tuple(_FIVE):
        found = reply
    elif len(reply) >= 3 and reply[0] in _FIVE and reply[1:3] == ". ":
        found = reply[0]
    else:
        said = _SENTENCE.findall(reply)
        found = said[0] if len(said) == 1 else ""
    return _of_an_option(found, sample)


def letter_or_lettered(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule for ScienceQA: the stripped reply is a letter in either case, or begins with a capital and a period.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/scienceqa/utils.py sqa_process_results at 75571cf.
    """
    text = reply.strip()
    capital = len(text) >= 2 and text[0].isupper() and text[1] == "."
    return _in_either_case(text[0] if capital else text, sample)


def letter_before_period(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule for AI2D: a capital with a period at the start, else the reply without ASCII punctuation, in either case.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/ai2d/utils.py MultiChoiceRegexFilter, then exact_match with ignore_case and
    ignore_punctuation, at 75571cf.
    """
    from string import punctuation

    begins = _BEFORE_PERIOD.match(reply)
    text = begins[1] if begins else reply.strip()
    return _in_either_case(text.translate(str.maketrans("", "", punctuation)), sample)


def letter_up_to_period(reply: str, sample: Sample) -> Parsed:
    """The SPHINX authors' rule: what stands before the first period is a letter A to E, to the character.

    They draw one of the five at random for any other reply, even where the question has fewer options; here it is unread.
    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/evaluate.py.
    """
    text = reply.partition(".")[0]
    return Parsed(text) if len(text) == 1 and text in _FIVE else Parsed(None, "no letter A to E before the first period")


def only_letter(reply: str, sample: Sample) -> Parsed:
    """LLaVA's rule for SEED-Bench: the reply is an option's letter and nothing else, not even a period.

    Source: haotian-liu/LLaVA scripts/convert_seed_for_submission.py at c121f04.
    """
    return _of_an_option(reply, sample)


def first_character(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule for SEED-Bench: the first character, in either case; "Because" is B and "The answer is A" none.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/seedbench/utils.py at 75571cf.
    """
    return _in_either_case(reply.strip()[:1], sample)


def lowest_loss(reply: str, sample: Sample) -> Parsed:
    """The option that the model finds likeliest: the reply is a JSON list of one loss an option, and the first least one counts.

    Source: AILab-CVC/SEED-Bench eval.py, which ranks the options by their losses and reads no text.
    """
    try:
        losses = json.loads(reply)
    except (ValueError, RecursionError):
        losses = None
    fits = isinstance(losses, list) and len(losses) == len(sample.options) > 0 and all(type(x) in (int, float) for x in losses)
    if not fits or any(x != x for x in losses):
        return Parsed(None, f"not a JSON list of {len(sample.options)} losses")
    return Parsed(letters(sample.options)[losses.index(min(losses))])


def one_option(reply: str, sample: Sample) -> Parsed:
    """A strict reading without a judge or a guess: the reply names one option, by letter, else by text.

    In this order: a bracketed letter ``(b)``; a letter that is the reply or begins it before a mark (``B.``, ``b:``), or stands
    behind "answer", "answer is", "option", "choice" or their Chinese words; an option's text as whole words. Where a step finds
    several options the reply is undecided; a longer option wins over one within it. An article is no letter.
    """
    offered = letters(sample.options)
    leading = _LEADING.match(reply)
    named = (_BRACKETED.findall(reply), [*([leading[1]] if leading else []), *_SAID.findall(reply)])
    for found in named:
        if own := _known(found, offered):
            return Parsed(own[0]) if len(own) == 1 else Parsed(None, f"several options named: {', '.join(own)}")
    own = _texts_in(reply, sample)
    return Parsed(own[0]) if len(own) == 1 else Parsed(None, "several options named" if own else "no option named")


def option_or_text(reply: str, sample: Sample) -> Parsed:
    """The option that the reply names (`one_option`); where the question has none, the reply without white space at its ends."""
    return one_option(reply, sample) if sample.options else stripped(reply, sample)


def _known(found: Iterable[str], offered: tuple[str, ...]) -> list[str]:
    return [letter for letter in offered if letter in {one.upper() for one in found}]


def _texts_in(reply: str, sample: Sample) -> list[str]:
    """The letters of the options whose text the reply holds as whole words, without those that stand within another's."""
    text = f" {' '.join(reply.lower().split())} "
    held = []
    for letter, option in zip(letters(sample.options), sample.options, strict=True):
        said = " ".join(option.lower().split())
        inside = re.search(rf"(?<![a-z0-9]){re.escape(said)}(?![a-z0-9])", text) if said else None
        if inside:
            held.append((letter, said))
    return [letter for letter, said in held if not any(said != other and said in other for _, other in held)]


def _of_an_option(letter: str, sample: Sample) -> Parsed:
    named = len(letter) == 1 and letter in letters(sample.options)
    return Parsed(letter) if named else Parsed(None, "no letter of an option in the forms that count")


def _in_either_case(text: str, sample: Sample) -> Parsed:
    lower = text.lower()
    return _of_an_option(lower.upper() if len(lower) == 1 and lower.isascii() else "", sample)

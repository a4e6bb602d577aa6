"""Yes or no in a reply: five rules, since the scorers of POPE and MME and two toolkits read the same words differently.

"It is noon." is yes for POPE, unreadable for MME; "Yes, no doubt" is yes for both and unreadable for VLMEvalKit.
Answers are ``"yes"`` and ``"no"``.
"""

from __future__ import annotations

import re

from harness.types import Parsed, Sample

_PUNCTUATION = (";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!")
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"(?<!\d)\.(?!\d)")
_YES = re.compile(r"\byes\b", re.IGNORECASE)


def negation_or_yes(reply: str, sample: Sample | None = None) -> Parsed:
    """POPE's rule: no if ``No``, ``not`` or ``no`` is a token of the first sentence, else yes.

    The text before the first period, without commas, split on single blanks; so ``NO``, an empty reply and a refusal are yes.
    Where the reply has no word "yes" either, that yes is an assumption and the reply counts as unparsed.
    Source: RUCAIBox/POPE evaluate.py, the same in haotian-liu/LLaVA llava/eval/eval_pope.py at c121f04.
    """
    sentence = reply.split(".", 1)[0].replace(",", "")
    words = sentence.split(" ")
    if "No" in words or "not" in words or "no" in words:
        return Parsed("no")
    return Parsed("yes", None if _YES.search(sentence) else "neither yes nor no in the first sentence; counted as yes")


def first_four_characters(reply: str, sample: Sample | None = None) -> Parsed:
    """MME's rule: the first four characters, in lower case, hold "yes", else "no"; leading blanks are not stripped.

    "Not sure" and "noon" are no, "Unknown" and "I know" are neither.
    Source: calculation.py of MME's eval_tool (BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation).
    """
    return _prefix(reply.lower()[:4])


def first_four_stripped(reply: str, sample: Sample | None = None) -> Parsed:
    """lmms-eval's rule for MME: MME's, after stripping blanks and all periods; a single ``y`` or ``n`` counts.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mme/utils.py parse_pred_ans at 75571cf.
    """
    text = reply.lower().strip().replace(".", "")
    if text in ("y", "n"):
        return Parsed("yes" if text == "y" else "no")
    return _prefix(text[:4])


def _prefix(start: str) -> Parsed:
    if "yes" in start:
        return Parsed("yes")
    if "no" in start:
        return Parsed("no")
    return Parsed(None, "neither yes nor no in the first four characters")


def only_one_of_both(reply: str, sample: Sample | None = None) -> Parsed:
    """VLMEvalKit's rule: exactly one of the words yes and no, after removing punctuation; anything else is unknown.

    Source: open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py YOrN_Extraction at e8e78f0.
    """
    words = set(without_punctuation(reply.lower()).split())
    if ("yes" in words) != ("no" in words):
        return Parsed("yes" if "yes" in words else "no")
    return Parsed(None, "both yes and no" if "yes" in words else "neither yes nor no")


def whole_reply(reply: str, sample: Sample | None = None) -> Parsed:
    """lmms-eval's rule for POPE: the whole reply, stripped and in lower case, is "yes" or "no"; "Yes." is neither.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/pope/utils.py pope_process_results at 75571cf.
    """
    text = reply.lower().strip()
    return Parsed(text) if text in ("yes", "no") else Parsed(None, "the reply is not just yes or no")


def without_punctuation(text: str) -> str:
    """Drop punctuation as VLMEvalKit does, after the VQA evaluation.

    Each mark becomes a blank, or nothing if it stands beside a blank anywhere in the text or if the text has a number with a
    comma; periods not beside a digit vanish (the first 32 of them: the original passes ``re.UNICODE`` as the count).
    Source: open-compass/VLMEvalKit vlmeval/smp/misc.py process_punctuation at e8e78f0, which mended the pattern for periods of
    GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py.
    """
    number = _COMMA_IN_NUMBER.search(text) is not None
    result = text
    for mark in _PUNCTUATION:
        glued = number or mark + " " in text or " " + mark in text
        result = result.replace(mark, "" if glued else " ")
    return _PERIOD.sub("", result, count=int(re.UNICODE))

"""Words as the caption metrics count them: Penn Treebank tokens, lower-cased, without a list of punctuation.

The rules are those of Stanford CoreNLP 3.4.1's ``PTBTokenizer -preserveLines -lowerCase``, as far as prose in English needs them:
at each place the longest pattern wins, and of equally long ones the first. ``pycocoevalcap`` 1.2 calls that program (a Java
archive) and then drops tokens; its list names brackets in capitals, which come lower-cased, so they stay (``-lrb-``). Not here:
the metrics (`harness.metrics.captions`). Quotes are not told apart, since all of them are dropped.
"""

from __future__ import annotations

import re
from typing import Final

DROPPED: Final = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""``-LRB-`` and its like, which the list of pycocoevalcap has too, never occur."""

_RENAMED: Final = {
    **{"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"},
    **{"£": "#", "€": "$", "\x80": "$", "¢": "cents", "…": "...", "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"},
    **{"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "''", "&apos;": "'", "&nbsp;": ""},
    **dict.fromkeys("–—―\x96\x97", "--"),
    **dict.fromkeys('"“”«»‘’‛‹›\x91\x92\x93\x94', "'"),
    **dict.fromkeys(("&mdash;", "&ndash;"), "--"),
}

_PLAIN = r"[^\W_²³¹¼-¾\u2070-\u209f\u2150-\u218b]"
_LETTER = rf"(?:(?!\d){_PLAIN}|[\u0300-\u036f])"
_ALNUM = rf"(?:{_PLAIN}|[\u0300-\u036f])"
_APOSTROPHE = "['’\x92]"
_NUM = r"(?:\d*(?:[.:,]\d+)+|\d+)"
_ANY_CASE = (
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu|thurs|fri|ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|"
    "mich|minn|mo|mont|neb|nev|okla|penn|tenn|va|vt|wisc?|wyo|inc|cos?|corp|pty|ltd|plc|bancorp|bhd|assn|univ|intl|sys|jr|sr|bros|"
    "(?:ed|ph)\\.d|blvd|rd|esq|etc|al|est|tel|ext|bldg|sq|seq|dept|ave|ste?|mrs?|ms|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|"
    "govs?|adm|rev|maj|sgt|cpl|pvt|capt|pres|lieut|hon|brig|comdr|cmdr|pfc|spc|supts?|det|mt|ft|adj|adv|asst|assoc|ens|insp|mlle|mme|"
    "msgr|sfc|vs|alex|wm|jos|cie|cf|treas|ph"
)
_CAPITAL = "Az|Ark|Del|Ill|La|Mass|Miss|Ore|Pa|Tex|Wash"
_BEFORE_DIGITS = "figs?|nos?|pp|ca|op|art|prop"
"""Abbreviations that keep their period: in any case, with a capital, before a number; found by asking the program for each."""

_NAME = r"[A-Za-z][\w:.-]{0,60}"
_VALUE = rf"(?: {{0,9}}= {{0,9}}(?:'[^'\n]{{0,200}}'|\"[^\"\n]{{0,200}}\"|{_NAME}))?"
_WORD = rf"(?:[dDoOlL]{_APOSTROPHE}(?={_ALNUM}))?{_ALNUM}+"
_IN_URL = r"[^ \t\f\r\"<>|()]"
_AT_END_OF_URL = r"[^ \t\f\r\"<>|.!?(){},-]"

_PATTERNS: Final = tuple(
    re.compile(pattern, flags)
    for flags, patterns in (
        (
            re.I,
            (
                rf"<(?:[!?][a-z-][^>\n]{{0,200}}|/?{_NAME}(?: {{1,9}}{_NAME}{_VALUE}){{0,20}} {{0,9}}/?) {{0,9}}>",
                r"&(?:amp|lt|gt|quot|apos|nbsp|mdash|ndash|#[0-9]+);",
                # Contractions: the word before n't reaches over it, as the program's rules with a context do.
                rf"[a-z]*[a-mo-z](?=(n{_APOSTROPHE}t(?!{_ALNUM})))",
                rf"n{_APOSTROPHE}t(?!{_ALNUM})",
                rf"{_APOSTROPHE}(?:[msd]|re|ve|ll)(?!{_ALNUM})",
                rf"{_APOSTROPHE}n{_APOSTROPHE}?(?!{_ALNUM})",
                rf"{_APOSTROPHE}n{_APOSTROPHE}",
                rf"{_APOSTROPHE}(?:em|til|cause|bout)(?!{_ALNUM})",
                rf"{_APOSTROPHE}t(?=((?:is|was)(?!{_ALNUM})))",
                rf"{_APOSTROPHE}\d0s(?!{_ALNUM})",
                rf"y{_APOSTROPHE}(?=(all(?!{_ALNUM})))",
                rf"(?:o{_APOSTROPHE}clock|ma{_APOSTROPHE}am)(?!{_ALNUM})",
                # Abbreviations.
                rf"(?:{_ANY_CASE})\.",
                rf"(?:{_BEFORE_DIGITS})\.(?=( ?\d))",
                r"-[lr][rsc]b-",
            ),
        ),
        (
            0,
            (
                rf"(?:{_CAPITAL})\.",
                r"[A-Za-z](?:\.[A-Za-z])*\.(?:-[A-Za-z]+)?",
                r"(?:[A-Za-z]+-)?[UE]\.[SUK]\.",
                # Addresses, files and names of networks.
                rf"(?i:https?)://{_IN_URL}+{_AT_END_OF_URL}",
                rf"www\.(?:[^ \t\f\r\"<>|.!?(){{}},]{{1,99}}\.){{1,20}}[a-zA-Z]{{2,4}}(?:/{_IN_URL}+{_AT_END_OF_URL})?",
                rf"(?:[^ \t\f\r\"`'<>|.!?(){{}},$-]{{1,99}}\.){{1,20}}(?:com|net|org|edu)(?:/{_IN_URL}+{_AT_END_OF_URL})?",
                r"[a-zA-Z0-9][^ \t\f\r\"<>|(){}@]{0,99}@"
                r"(?:[^ \t\f\r\"<>|(){}.\u00a0]{1,99}\.){0,20}[^ \t\f\r\"<>|(){}\[\].,;:\u00a0]+",
                r"@[A-Za-z_]\w*|#[^\W\d]\w*",
                # Numbers.
                r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}",
                r"(?:\d{1,4}[- \u00a0])?\d{1,4}/\d{1,4}",
                rf"[-+]?{_NUM}",
                r"(?:\(\d{2,3}\)[ \u00a0]?|(?:\+\+?)?(?:\d{2,4}[- \u00a0])?\d{2,4}[- \u00a0])\d{3,4}[- \u00a0]?\d{3,5}",
                r"[A-Z]*\$|#",
                # Words.
                rf"{_WORD}(?:[-_\u2010\u2011]{_WORD})*",
                rf"{_LETTER}{_ALNUM}*(?:[.!?]{_LETTER}{_ALNUM}*)*",
                r"[A-Z]+(?:[+&][A-Z]+)+",
                r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}",
                r"[cC](?:\+\+|#)|[fFjJ]#",
                # Marks.
                r"[<>]?[:;=][-o*']?[()DPdpO@|{}\[\]](?![A-Za-z])|\^_\^",
                r"_+|#{2,}|\.{3,}|[!?]+|\*+|-{2,}|''|``|<<|>>",
            ),
        ),
    )
    for pattern in patterns
)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]+(?= |\Z)")
_JOINED: Final = frozenset(("cannot", "gonna", "gotta", "lemme", "gimme", "wanna"))
"""Written as one, counted as two words, of which the first has three letters."""


def ptb_words(text: str) -> list[str]:
    """The words of a text, of which line breaks are blanks.

    >>> ptb_words("No, it doesn't (40%)."), ptb_words("Dr. Who works at the U.S. company.")
    (['no', 'it', 'does', "n't", '-lrb-', '40', '%', '-rrb-'], ['dr.', 'who', 'works', 'at', 'the', 'u.s.', 'company'])
    """
    return [token for token in _tokens(text.replace("\n", " ")) if token not in DROPPED]


def _tokens(text: str) -> list[str]:
    text = text.replace("\u00ad", "")
    found: list[str] = []
    at = 0
    while at < len(text):
        if _skipped(text[at]):
            at += 1
            continue
        plain = _PLAIN_WORD.match(text, at)
        if plain:  # no pattern reaches over a blank from letters
            found += _written(plain[0])
            at = plain.end()
            continue
        longest, end = 0, at + 1
        for pattern in _PATTERNS:
            match = pattern.match(text, at)
            if match and (reach := max(match.end(), match.end(1) if pattern.groups else 0)) > longest:
                longest, end = reach, match.end()
        found += _written(text[at:end])
        at = end
    return found


def _skipped(char: str) -> bool:
    """Whether the program passes over a character: blanks, those of other planes, and Roman numerals as one letter."""
    return char.isspace() or char == "\u200b" or char > "\uffff" or "\u2160" <= char <= "\u2188"


def _written(token: str) -> tuple[str, ...]:
    """A token as the program prints it; blanks within one do not part it."""
    low = token.lower()
    if low in _JOINED:
        return low[:3], low[3:]
    if low.startswith(("--", "...")):
        low = low[: 2 if low[0] == "-" else 3]
    low = _RENAMED.get(low, low)
    if len(low) > 1:
        low = low.replace("’", "'").replace(" ", "\u00a0")
        if not low.startswith(("<", "http", "www")):
            low = low.replace("(", "-lrb-").replace(")", "-rrb-")
    return (low,) if low else ()

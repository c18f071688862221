"""Running text → sentences as they are spoken, one a line: what language models learn from."""

import re
from collections.abc import Callable, Iterator

import inflect

_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "messrs": "messieurs", "dr": "doctor", "st": "saint",
    "capt": "captain", "col": "colonel", "gen": "general", "lieut": "lieutenant",
    "rev": "reverend", "hon": "honorable", "prof": "professor", "esq": "esquire",
    "etc": "et cetera", "vol": "volume", "jr": "junior", "sr": "senior",
}
_ABBREVIATION = re.compile(r"\b(" + "|".join(_ABBREVIATIONS) + r")\.", re.IGNORECASE)
_ET_CETERA = re.compile(r"&c\b\.?")
_MONEY = re.compile(r"([£$])(\d(?:[\d,]*\d)?)(?![\d,]*\.\d)")
_CURRENCY = {"£": "pound", "$": "dollar"}
# Old print has 2d, 3d, 22d … for second and third; any other d is pence.
_NUMBER = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?"
                     r"(st|nd|rd|th|(?<=[23])(?<!1[23])d)?(?!\w)")
_ROMAN = re.compile(r"\b(?=[MDCLXVI]{2})M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})"
                    r"(?:IX|IV|V?I{0,3})(?<=[MDCLXVI])\b")
_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
# What stands before a word is a quotation mark, but for the apostrophe of these.
_OPENING_QUOTE = re.compile(r"(?<!\w)['‘](?=\w)(?!(?:tis|twas|twere|twill|twould|twixt|em|neath|"
                            r"gainst|mid|mong|fore|nuff|un|ud)\b)", re.IGNORECASE)
# A sentence ends at . ! ? and closing quotes, where a capital or an opening quote follows, but not
# after an initial.
_END = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])")
_LONGEST = 36  # digits of a number that is read out as a whole

_speak = inflect.engine()


def sentences(paragraph: str, normalise: Callable[[str], str], roman: bool = False
              ) -> Iterator[str]:
    """The sentences of a paragraph, abbreviations and numbers spelt out, then normalised.

    Parameters
    ----------
    normalise : callable
        One of `asr.text.normalise`: the one that the transcripts went through.
    roman : bool
        Read Roman numerals of two or more letters as numbers.
    """
    text = _ABBREVIATION.sub(lambda m: _ABBREVIATIONS[m[1].lower()], paragraph)
    text = _OPENING_QUOTE.sub("", _ET_CETERA.sub("et cetera", text))
    for sentence in _END.split(text):
        spoken = normalise(spell_numbers(sentence, roman))
        if spoken:
            yield spoken


def spell_numbers(text: str, roman: bool = False) -> str:
    """Numbers as words: cardinals, ordinals, decimals, years from 1100 to 1999, £ and $."""
    if roman:
        text = _ROMAN.sub(lambda m: str(_roman_value(m[0])), text)
    text = _MONEY.sub(lambda m: f"{m[2]} {_CURRENCY[m[1]]}{'s' * (m[2] != '1')}", text)
    return _NUMBER.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    digits, decimals, ordinal = match[1].replace(",", ""), match[2], match[3]
    if len(digits) > _LONGEST:
        return " ".join(_words(digit) for digit in digits)
    if decimals:
        return f"{_words(digits)} point {' '.join(_words(digit) for digit in decimals[1:])}"
    if ordinal:
        return _words(_speak.ordinal(digits))
    if len(match[1]) == 4 and 1100 <= int(digits) < 2000:
        return _year(int(digits))
    return _words(digits)


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if rest == 0:
        return f"{_words(str(century))} hundred"
    return f"{_words(str(century))} {'oh ' if rest < 10 else ''}{_words(str(rest))}"


def _words(number: str) -> str:
    return str(_speak.number_to_words(number)).replace(",", "").replace("-", " ")


def _roman_value(numeral: str) -> int:
    values = [_DIGITS[letter] for letter in numeral]
    return sum(-v if v < later else v
               for v, later in zip(values, [*values[1:], 0], strict=True))

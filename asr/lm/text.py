"""Running text → sentences as they are spoken, one a line: what language models learn from."""

import re
import unicodedata
from collections.abc import Callable, Iterator

import inflect

_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "messrs": "messieurs", "dr": "doctor", "st": "saint",
    "capt": "captain", "col": "colonel", "gen": "general", "lieut": "lieutenant",
    "rev": "reverend", "hon": "honorable", "prof": "professor", "esq": "esquire",
    "etc": "et cetera", "vol": "volume", "jr": "junior", "sr": "senior",
    "no": "number", "nos": "numbers",
}
# `no.` is a word at a sentence's end, but before a number.
_ABBREVIATION = re.compile(r"\b(?!nos?\.(?!\s?\d))(" + "|".join(_ABBREVIATIONS) + r")\.",
                           re.IGNORECASE)
# British print has titles without a period.
_TITLE = re.compile(r"\b((?i:mr|mrs|messrs)\b|(?:Dr|DR|St|ST|Capt|Prof)(?=\s+[A-Z]))")
_ET_CETERA = re.compile(r"&c\b\.?")
_SIGNS = str.maketrans({sign: f" {unicodedata.digit(sign)}" for sign in "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"})
_FRACTION = re.compile(r"(\d?)([¼½¾])")
_FRACTIONS = {"¼": "a quarter", "½": "a half", "¾": "three quarters"}
_MONEY = re.compile(r"([£$€])(?=\.?\d)((?:\d[\d,]*)?(?<!,))(\.\d+)?"
                    r"( (?:hundred|thousand|million|billion)\b)?")
_CURRENCY = {"£": ("pound", "pounds", "penny", "pence"),
             "$": ("dollar", "dollars", "cent", "cents"),
             "€": ("euro", "euros", "cent", "cents")}
_PERCENT = re.compile(r"(?<=\d)\s?%")
# Old print has 2d, 3d, 22d … for second and third; any other d is pence. 1850s is a decade, and so
# is 50s, but for 50s. in shillings.
_NUMBER = re.compile(r"(?=\d|(?<![\w.])\.\d)(\d{1,3}(?:,\d{3})+(?!\d)|\d*)((?:\.\d+)*)"
                     r"((?:st|nd|rd|th|(?<=[23])(?<!1[23])d|(?<=\b\d{3}0)s|"
                     r"(?<=\b[2-9]0)(?<![.,]\d\d)s(?!\.))\b)?")
_DIGIT = re.compile(r"[\d¼½¾⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉]")
_ROMAN = re.compile(r"\b(?=[MDCLXVI]{2})M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})"
                    r"(?:IX|IV|V?I{0,3})(?<=[MDCLXVI])\b")
_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
# What stands before a word is a quotation mark, but for the apostrophe of these. That of ’90s is
# not spoken.
_OPENING_QUOTE = re.compile(
    r"(?<!\w)(?:’(?=\d0s\b)|['‘](?=\w)(?!(?:tis|twas|twere|twill|twould|twixt|em|neath|gainst|mid|"
    r"mong|fore|nuff|un|ud)\b))", re.IGNORECASE)
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
    text = paragraph
    for pattern in (_ABBREVIATION, _TITLE):
        text = pattern.sub(lambda m: _ABBREVIATIONS[m[1].lower()], text)
    text = _OPENING_QUOTE.sub("", _ET_CETERA.sub("et cetera", text))
    for sentence in _END.split(text):
        spoken = normalise(spell_numbers(sentence, roman))
        if spoken:
            yield spoken


def spell_numbers(text: str, roman: bool = False) -> str:
    """Numbers as words, so that no digit is left.

    Cardinals, ordinals, decimals, fractions, years from 1100 to 1999, decades, percentages, and
    amounts in £, $ and €. Letters that a number touches are words of their own.
    """
    if roman:
        text = _ROMAN.sub(lambda m: str(_roman_value(m[0])), text)
    if not _DIGIT.search(text):
        return text
    text = _FRACTION.sub(lambda m: f"{m[1]}{' and ' * bool(m[1])}{_FRACTIONS[m[2]]}", text)
    text = _PERCENT.sub(" percent", _MONEY.sub(_amount, text.translate(_SIGNS)))
    return _NUMBER.sub(_spell, text)


def _amount(match: re.Match[str]) -> str:
    sign, whole, decimals, scale = match.groups("")
    one, many, small, smalls = _CURRENCY[sign]
    if len(decimals) != 3 or scale:
        whole, decimals = f"{whole}{decimals}{scale}", ""
    cents = decimals[1:].lstrip("0")
    parts = [f"{cents} {small if cents == '1' else smalls}"] if cents else []
    if whole.strip("0") or not cents:
        parts.insert(0, f"{whole} {one if whole == '1' else many}")
    return " and ".join(parts)


def _spell(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before, after = text[start - 1:start].isalpha(), text[end:end + 1].isalpha()
    return " " * before + _number(*match.groups("")) + " " * after


def _number(whole: str, decimals: str, ending: str) -> str:
    digits = whole.replace(",", "")
    if decimals or len(digits) > _LONGEST:
        parts = [digits] if 0 < len(digits) <= _LONGEST else digits
        return " ".join("point" if part == "." else _words(part) for part in [*parts, *decimals])
    if ending == "s":
        year = int(digits)
        return str(_speak.plural(_words(digits) if year < 100 or year % 1000 == 0
                                 else _year(year)))
    if ending:
        return _words(_speak.ordinal(str(int(digits))))
    if len(whole) == 4 and 1100 <= int(digits) < 2000:
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

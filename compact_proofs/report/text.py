"""Numbers and options in words, the same in the table, in the pictures and in hover texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def count(number: int) -> str:
    """Write an exact count up to a billion, and three digits with a power of ten above (``8.80×10¹¹``)."""
    return f"{number:,}" if number < 10**9 else _power(number)


def short_count(number: int) -> str:
    """Write a count in at most three digits and a unit: ``1.85 M``."""
    if number >= 10**15:
        return _power(number)
    for unit, letter in _UNITS:
        if number >= unit:
            value = number / unit
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {letter}"
    return str(number)


def bound_text(bound: Fraction) -> str:
    """Write a bound in decimals, rounded down so that no more is shown than was proven."""
    if bound in (0, 1):
        return str(int(bound))
    if 1 - bound < Fraction(1, 10**9):
        return f"1 − {_power_below_one(1 - bound)}"
    digits = max(6, math.ceil(-_log10(1 - bound)) + 1)
    return f"0.{math.floor(bound * 10**digits):0{digits}d}"


def ratio_text(ratio: float | None) -> str:
    """Write bound over true accuracy, rounded down, or a dash."""
    return "–" if ratio is None else f"{math.floor(ratio * 10**6) / 10**6:.6f}"


def accuracy_text(accuracy: float) -> str:
    """Write an accuracy to eight digits."""
    return f"{accuracy:.8g}"


def options_text(options: Mapping[str, str]) -> str:
    """Write options as ``key=value`` with commas."""
    return ", ".join(f"{key}={value}" for key, value in options.items())


def printable(value: object) -> str:
    """Write anything as one line of text, with a mark for each character that is not seen or moves its neighbours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def clipped(text: str, width: int) -> str:
    """Cut a text to `width` characters, with an ellipsis where something was cut."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def plural(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 proof``, ``2 proofs``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _log10(number: Fraction) -> float:
    return math.log10(number.numerator) - math.log10(number.denominator)


def _power_below_one(number: Fraction) -> str:
    """Write a small number in three digits, rounded up."""
    exponent = math.floor(_log10(number))
    mantissa = math.ceil(number * 10 ** (2 - exponent))
    if mantissa >= 1000:
        mantissa, exponent = 100, exponent + 1
    return f"{mantissa / 100:.2f}×10{str(exponent).translate(_SUPERSCRIPTS)}"


def _power(number: int) -> str:
    exponent = len(str(number)) - 1
    mantissa = round(Fraction(number, 10**exponent) * 100)
    if mantissa == 1000:
        mantissa, exponent = 100, exponent + 1
    return f"{mantissa / 100:.2f}×10{str(exponent).translate(_SUPERSCRIPTS)}"

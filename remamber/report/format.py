"""Numbers for people: the only place where base units become text."""

_SI = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
NOT_RUN = "--"


def percent(fraction: float) -> str:
    """``0.431`` -> ``43.1``; never ``-0.0``."""
    return _fixed(100 * fraction, 1)


def points(fraction: float) -> str:
    """A difference of fractions in percentage points with its sign: ``−9.8``, ``+0.3``, ``0.0``."""
    text = percent(fraction)
    if text == "0.0":
        return text
    return f"+{text}" if fraction > 0 else text


def interval(low: float, high: float) -> str:
    """``[41.0, 45.2]`` from two fractions."""
    return f"[{percent(low)}, {percent(high)}]"


def half_interval(low: float, high: float) -> str:
    """``±2.1`` from the ends, fractions."""
    return f"±{percent((high - low) / 2)}"


def share(fraction: float) -> str:
    """``0.183`` -> ``18 %``; below one percent with a decimal."""
    value = 100 * fraction
    return f"{_fixed(value, 0 if abs(value) >= 1 or value == 0 else 1)} %"


def ratio(value: float) -> str:
    """Two decimals."""
    return _fixed(value, 2)


def plain_interval(low: float, high: float) -> str:
    """``[0.98, 1.04]`` from two plain numbers."""
    return f"[{ratio(low)}, {ratio(high)}]"


def per_second(value: float) -> str:
    """Three significant digits: ``0.312``, ``12.4``, ``1,240``."""
    return count(value) if value >= 999.5 else f"{value:.3g}"


def times(value: float) -> str:
    """How many times as much: ``3.1×``, ``205×``, ``0.87×``."""
    if value >= 9.95:
        return f"{round(value):,}×" if value >= 99.5 else f"{value:.0f}×"
    return f"{_fixed(value, 1 if value >= 1.95 else 2)}×"


def times_interval(low: float, high: float) -> str:
    """``[3.0, 3.2]`` from two ratios."""
    return f"[{times(low)}, {times(high)}]".replace("×", "")


def error(value: float) -> str:
    """A relative error: ``2.9e-7``."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def rate(number: float, unit: str) -> str:
    """``36_362_252_870`` with ``B/s`` -> ``36.4 GB/s``."""
    for scale, prefix in ((1e12, "T"), *_SI):
        if number >= 0.9995 * scale:
            return f"{_digits(number / scale)} {prefix}{unit}"
    return f"{count(number)} {unit}"


def count(number: float) -> str:
    """``10834`` -> ``10,834``."""
    return f"{round(number):,}"


def parameters(number: float) -> str:
    """``1_912_345`` -> ``1.9 M``."""
    for size, prefix in _SI:
        if number >= 0.9995 * size:
            return f"{_digits(number / size)} {prefix}"
    return count(number)


def seconds(value: float) -> str:
    """``0.1234`` -> ``123 ms``, ``12.3`` -> ``12.3 s``, ``200`` -> ``3 min 20 s``."""
    if value < 0.9995:
        return f"{_digits(1000 * value)} ms"
    if value < 119.95:
        return f"{_digits(value)} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(number: float) -> str:
    """``1_610_612_736`` -> ``1.5 GiB``."""
    for unit, name in _BINARY:
        if number >= unit:
            return f"{_digits(number / unit)} {name}"
    return f"{count(number)} B"


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def number_word(n: int) -> str:
    """Small numbers as words, as running text has them."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[n] if n < len(words) else count(n)


def _digits(value: float) -> str:
    """Two to three significant digits without an exponent."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}"


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")

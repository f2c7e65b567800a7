"""Choose colours that can be read on the ground of the theme in use. Knows no page and no chart.

Streamlit draws its own parts in the theme; here are the colours that we choose ourselves. Marks have
3:1 on their ground, text 4.5:1, in both themes (WCAG 1.4.3 and 1.4.11).
"""

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

ACCENT, WARM, GREEN = "#3D78C2", "#C26A12", "#3F8F5B"
"""For marks; each has 3:1 on both grounds."""
SERIES = (ACCENT, WARM, GREEN, "#A55BD1", "#CF4436", "#16808A", "#8A6D1B", "#6B7686")
"""Colours of the lines of a chart, as far apart as their use on both grounds allows."""
QUIET = ("#5B6573", "#A9B3C1")
"""Text beside other text, on light and on dark."""
MARK, TEXT = 3.0, 4.5
_MIDDLE = 0.18
"""The luminance at which black and white stand out alike."""


def is_dark() -> bool:
    """Tell whether the page is drawn dark; light where the browser has not said."""
    return bool(st.context.theme.type == "dark")


def ground() -> str:
    """Return the darkest or lightest colour that a page of this theme is drawn on."""
    return "#262F3C" if is_dark() else "#F4F6F9"


def paper() -> str:
    """Return the background of the page."""
    return "#12171F" if is_dark() else "#FFFFFF"


def ink() -> str:
    """Return the colour of text."""
    return "#E6EAF0" if is_dark() else "#1F2937"


def quiet() -> str:
    """Return the colour of text beside other text."""
    return QUIET[is_dark()]


def pale() -> str:
    """Return the colour of a mark that is only there to compare with."""
    return "#748195" if is_dark() else "#8492A6"


def empty_cell() -> str:
    """Return the colour of a cell of a matrix in which nothing is."""
    return "#1D2530" if is_dark() else "#F1F4F8"


def readable(color: str, *, ratio: float = MARK) -> str:
    """Move a colour's lightness until it stands out from the ground; its hue stays."""
    return _readable(color, ground(), ratio)


@lru_cache(maxsize=1024)
def _readable(color: str, ground_now: str, ratio: float) -> str:
    """Compute it once for each colour: a press draws twenty of them."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in _parts(color)))
    step = 0.02 if _luminance(ground_now) < _MIDDLE else -0.02
    while contrast(color, ground_now) < ratio and 0 < lightness < 1:
        lightness = min(1.0, max(0.0, lightness + step))
        color = _hex([part * 255 for part in colorsys.hls_to_rgb(hue, lightness, saturation)])
    return color


def mixed(color: str, with_color: str, share: float) -> str:
    """Mix two colours; `share` of the first."""
    pairs = zip(_parts(color), _parts(with_color), strict=True)
    return _hex([one * share + other * (1 - share) for one, other in pairs])


def text_on(color: str) -> str:
    """Return black or white, whichever can be read better on a colour."""
    return max(("#FFFFFF", "#10151C"), key=lambda text: contrast(text, color))


def contrast(one: str, other: str) -> float:
    """Compute the contrast ratio of two colours, 1 to 21, as WCAG defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (part / 255 for part in _parts(color))
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _parts(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _hex(parts: Sequence[float]) -> str:
    return "#" + "".join(f"{min(255, max(0, round(part))):02X}" for part in parts)

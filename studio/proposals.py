"""Which categories a faulty answer may mean. For a person to confirm, never to apply.

`sample.proposed_category` has the safe cases, such as quotation marks. Here are the
near ones, read off the scheme itself, so that another scheme brings its own.
"""

import os.path

from studio.categories import Scheme
from studio.sample import proposed_category


def near_categories(label: str, scheme: Scheme) -> list[str]:
    """The categories that a label names, translates, or whose definition speaks of it.

    The first of these ways that finds any decides; within it, in the scheme's order.
    """
    named = [name for name in scheme.names if name in label]
    if named:
        return named
    word = label.strip().lower()
    translated = [
        category.name
        for category in scheme.categories
        if len(os.path.commonprefix([word, category.english.lower()])) >= 4
    ]
    if translated:
        return translated
    if not 2 <= len(word) <= 6:
        return []
    return [category.name for category in scheme.categories if word in category.definition]


def proposal(label: str, scheme: Scheme) -> str | None:
    """The one category to offer for a faulty label: the safe one, or the only near one."""
    near = near_categories(label, scheme)
    return proposed_category(label, scheme.names) or (near[0] if len(near) == 1 else None)

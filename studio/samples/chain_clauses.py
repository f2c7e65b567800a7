"""Split think chains into clauses, to detect boilerplate that many chains share.

Pure: this module knows no store.
"""

import re

from studio.language import say
from studio.samples.chain_lint import QUOTED, ChainRemark
from studio.samples.scheme import Scheme

OFTEN = 3
"""A clause that this many other chains of the category share is boilerplate, not a thought."""

MOSTLY_FORM = 0.6
"""Share of a chain's characters in such clauses from which it is reported: every chain shares a
“so it is …” with others, few share most of their sentences."""

_CLAUSE_END = re.compile(r"[。！？；，：.!?;,:\n]")

_PUNCTUATION = re.compile(r"[\s\W_]+")


def skeleton(chain: str, scheme: Scheme) -> frozenset[str]:
    """Split a chain into clauses without the words it quotes, the categories it names, and punctuation.

    Chains that were filled into one form share their clauses.
    """
    text = QUOTED.sub("〇", chain)
    for name in scheme.names:
        text = text.replace(name, "类")
    clauses = (_PUNCTUATION.sub("", clause) for clause in _CLAUSE_END.split(text))
    return frozenset(clause for clause in clauses if clause)


def mostly_form(share: float) -> ChainRemark:
    """Build the remark on a chain of which that share is boilerplate, 0 to 1."""
    return ChainRemark(
        code="chain_skeleton",
        severity="warning",
        message=say(
            f"除了引用的词，{share:.0%} 的句子与许多条思维链一样，请换一种写法。",
            f"Apart from quoted words, {share:.0%} of it are sentences of many other chains; reword it.",
        ),
    )

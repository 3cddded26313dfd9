"""The trained-tokens view as HTML: each token a box, coloured by the loss mask. Text of the scenario is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from studio.bases import TokenView

LONGEST = 6000


def tokens_html(tokens: Sequence[TokenView], limit: int = LONGEST) -> str:
    """The first `limit` tokens as boxes; a browser gets slow beyond some thousand."""
    boxes = "".join(_box(one) for one in tokens[:limit])
    more = f"<p>… and {len(tokens) - limit:,} more tokens</p>" if len(tokens) > limit else ""
    return f'<div class="tokens">{boxes}</div>{more}'


def _box(token: TokenView) -> str:
    kind = "trained" if token.trained else "masked"
    shown = escape(token.text).replace(" ", "·").replace("\n", "↵<br>")
    return f'<span class="{kind}" title="{token.id}">{shown}</span>'

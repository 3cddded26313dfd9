"""How the next token is chosen: llama.cpp's samplers in a chain, with a grammar in front if there is one."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass

import llama_cpp

from studio.errors import PlayError
from studio.play.hosts.protocol import Sampling

_PENALTY_WINDOW = 64


@dataclass(frozen=True)
class _Opening:
    """Tokens that a grammar can begin with, and tokens in which its first text stands among other letters."""

    clear: list[int]
    unclear: list[int]


class Samplers:
    """Makes chains of samplers for one vocabulary.

    Args:
        piece: the bytes of a token.
    """

    def __init__(self, vocab: llama_cpp.llama_vocab_p, piece: Callable[[int], bytes]) -> None:
        self._vocab, self._piece = vocab, piece
        self._size = llama_cpp.llama_vocab_n_tokens(vocab)
        self._openings: dict[str, _Opening] = {}

    def chain(self, sampling: Sampling, grammar: str, grammar_from: str) -> llama_cpp.llama_sampler_p:
        """A chain in the order of llama.cpp's `common_sampler_init`: penalties, top-k, top-p, min-p, temperature.

        Raises:
            PlayError: `grammar` is not GBNF.
        """
        add = llama_cpp.llama_sampler_chain_add
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        if grammar:
            self._add_grammar(chain, grammar, grammar_from)
        if sampling.repeat_penalty != 1:
            add(chain, self._penalties(sampling.repeat_penalty))
        if sampling.temperature == 0:
            add(chain, llama_cpp.llama_sampler_init_greedy())
            return chain
        add(chain, llama_cpp.llama_sampler_init_top_k(sampling.top_k))
        add(chain, llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1))
        add(chain, llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1))
        add(chain, llama_cpp.llama_sampler_init_temp(sampling.temperature))
        add(chain, llama_cpp.llama_sampler_init_dist(sampling.seed))
        return chain

    def _add_grammar(self, chain: llama_cpp.llama_sampler_p, grammar: str, grammar_from: str) -> None:
        """The grammar from the first token on, or from the one that writes `grammar_from`.

        A token that holds this text and letters of what follows is never chosen: llama.cpp would end the process if the
        letters were not in the grammar.
        """
        rules = None
        if not grammar_from:
            rules = llama_cpp.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        elif opening := self._opening(grammar_from):
            llama_cpp.llama_sampler_chain_add(chain, self._never(opening.unclear))
            tokens, none = (llama_cpp.llama_token * len(opening.clear))(*opening.clear), (ctypes.c_char_p * 0)()
            rules = llama_cpp.llama_sampler_init_grammar_lazy_patterns(
                self._vocab, grammar.encode(), b"root", none, 0, tokens, len(tokens)
            )
        if not rules:
            llama_cpp.llama_sampler_free(chain)
            raise PlayError("The grammar is not valid GBNF.", next_step="Correct it or play without a grammar.")
        llama_cpp.llama_sampler_chain_add(chain, rules)

    def _opening(self, text: str) -> _Opening:
        if text not in self._openings:
            wanted = text.encode()
            holding = {one: piece for one in range(self._size) if wanted in (piece := self._piece(one))}
            clear = [one for one, piece in holding.items() if piece.endswith(wanted) and piece.strip(b" \n") == wanted]
            self._openings[text] = _Opening(clear, [one for one in holding if one not in clear])
        return self._openings[text]

    def _never(self, tokens: list[int]) -> llama_cpp.llama_sampler_p:
        biases = (llama_cpp.llama_logit_bias * len(tokens))(*[(one, -math.inf) for one in tokens])
        return llama_cpp.llama_sampler_init_logit_bias(self._size, len(tokens), biases)

    def _penalties(self, repeat: float) -> llama_cpp.llama_sampler_p:
        return llama_cpp.llama_sampler_init_penalties(self._size, _PENALTY_WINDOW, repeat, 0.0, 0.0)

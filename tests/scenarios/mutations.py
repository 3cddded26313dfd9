"""Texts that break parsers: files of the studio and hand-written nasty ones, mutated by a seeded random generator.

A mutant is made from nothing but its seed and number, so a failing one can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from random import Random

from studio.scenarios import read_text
from studio.workspace import PROJECT_ROOT

HERE = Path(__file__).parent
TOKENS = (
    *("<SYSTEM>", "</SYSTEM>", "<User>", "</User>", "<DM>", "</DM>", "<TOOLCALL>", "</TOOLCALL>", "<Dm>", "< DM >"),
    *(
        "<dm/>",
        "<D M>",
        "<gm",
        "<player>",
        "< / dm",
        "</Dungeon Master>",
        "<tool_call>",
        "**DM:**",
        "[DM]",
        "&lt;DM&gt;",
    ),
    *("---\n", "---", "title: x\n", "diagnostics: {W003: off}\n", "a: &x [*x]\n", "<!--", "-->", "<!", "--", ">"),
    *("# Role\n", "# Party\n", "## Sarah\n", "# ", "#" * 7, "===\n", "- Level 3\n", "- Health: 1/2\n", "> ", "    "),
    *("- Skills: Stealth +7, Söngur −2\n", "- Attacks: Bow +5 (1d6+3)\n", "- Inventory: a (b, c), d\n", "* Exp: 9/\n"),
    *("```\n", "`", "``", "~~~", "[roll: stealth]", "[roll: ", "[Roll:Perception]", "[ roll : perception ]", "[roll]"),
    *(
        "[hit points: -6, who=Sarah]",
        "[begin combat",
        "[rol: percption, dc=x]",
        "［roll：stealth］",
        "(roll: perception)",
    ),
    *("[roll: attack, target=“goblin”, advantage, advantage]", "[roll: stealth](http://x)", "]", "[", ":", "：", ","),
    *("stealth: 15 (advantage: 7, 15) + 7(skill) = *22*", "stealth: 1 + 2 = *4*", "perception: 12 – 1(skill)", "= *"),
    *(
        "*SUCCESS*",
        "*Failed*",
        "success",
        "**SUCCESS** ",
        "Sarah: ",
        "You say yes. ",
        "<b onclick=x>",
        "<script>",
        "</",
    ),
    *("\n", "\n\n", "\r\n", "\r", "\t", "\x00", "\x0b", "\x0c", "\x1c", "\x85", "\ufeff", "\u00a0", "\u00ad", "\u200b"),
    *(
        "\u200d",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\udce9",
        "\ud83d",
        "\ufffd",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ǅ",
        "<u\u017fer>",
    ),
    *(
        "🎲",
        "👩‍🚀",
        "שלום",
        "مرحبا",
        "龍",
        "٣",
        "²",
        "½",
        "“",
        "”",
        "’",
        "„",
        "–",
        "−",
        "…",
        "*",
        "=",
        "+",
        "9" * 30,
        " ",
    ),
)
"""Pieces of the language and of what is near it; the strategies of the property tests use them, too."""
_LONGEST = 1_600
_MAXIMUM = 4_000


@lru_cache(maxsize=1)
def corpus() -> tuple[str, ...]:
    """Shipped scenarios and templates, the seed example, and the nasty files of `corpus/`."""
    shipped = [*sorted((PROJECT_ROOT / "data").rglob("*.md")), HERE / "seed_example.md"]
    return tuple(read_text(path) for path in (*shipped, *nasty_files()))


def nasty_files() -> list[Path]:
    """The hand-written files that are wrong in many ways."""
    return sorted(path for path in (HERE / "corpus").iterdir() if path.suffix == ".txt")


def mutants(seed: int, count: int) -> Iterator[str]:
    """`count` texts, each made from one or two files of the corpus by one to six mutations."""
    for number in range(count):
        yield mutant(seed, number)


def mutant(seed: int, number: int) -> str:
    """The mutant of that seed and number; lone surrogates stand for bytes that are not UTF-8."""
    random = Random(f"{seed}:{number}")
    text = _excerpt(random)
    for _ in range(random.choice((1, 1, 2, 3, 4, 6))):
        text = random.choice(_MUTATIONS)(text, random)[:_MAXIMUM]
    return text


def _excerpt(random: Random) -> str:
    """A file, or a stretch of a long one: mostly whole lines, sometimes with its head."""
    text = random.choice(corpus())
    if len(text) <= _LONGEST:
        return text
    start = random.randrange(len(text))
    if random.random() < 0.7:
        start = text.rfind("\n", 0, start) + 1
    head = text[: random.randrange(600)] if random.random() < 0.3 else ""
    return head + text[start : start + random.randrange(40, _LONGEST)]


def _span(text: str, random: Random) -> tuple[int, int]:
    """A stretch: letters, a line, or anything."""
    start = random.randrange(len(text) + 1)
    kind = random.random()
    if kind < 0.5:
        return start, min(len(text), start + random.randrange(12))
    if kind < 0.8:
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", start)
        return first, len(text) if last < 0 else last + 1
    return start, random.randrange(start, len(text) + 1)


def _delete(text: str, random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + text[end:]


def _duplicate(text: str, random: Random) -> str:
    start, end = _span(text, random)
    return text[:end] + text[start:end] * random.choice((1, 1, 2, 9)) + text[end:]


def _swap(text: str, random: Random) -> str:
    start, end = sorted((_span(text, random), _span(text, random)))
    if start[1] > end[0]:
        return text
    return text[: start[0]] + text[slice(*end)] + text[start[1] : end[0]] + text[slice(*start)] + text[end[1] :]


def _insert(text: str, random: Random) -> str:
    start, _ = _span(text, random)
    return text[:start] + "".join(random.choices(TOKENS, k=random.choice((1, 1, 2, 5)))) + text[start:]


def _repeat_token(text: str, random: Random) -> str:
    start, _ = _span(text, random)
    return text[:start] + random.choice(TOKENS) * random.randrange(2, 60) + text[start:]


def _replace(text: str, random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + random.choice(TOKENS) + text[end:]


def _flip_bytes(text: str, random: Random) -> str:
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(random.choice((1, 2, 8))):
        if content:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return content.decode("utf-8", "surrogateescape")


def _truncate(text: str, random: Random) -> str:
    place = random.randrange(len(text) + 1)
    return text[:place] if random.random() < 0.6 else text[place:]


def _splice(text: str, random: Random) -> str:
    other = _excerpt(random)
    return text[: random.randrange(len(text) + 1)] + other[random.randrange(len(other) + 1) :]


def _line_ends(text: str, random: Random) -> str:
    ends = random.choice((("\r\n",), ("\r",), ("\n", "\r\n"), ("\n", "\r", "\r\n"), ("\n", "\u2028")))
    return "".join(random.choice(ends) if letter == "\n" else letter for letter in text)


def _change_case(text: str, random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + random.choice((str.upper, str.lower, str.swapcase, str.title))(text[start:end]) + text[end:]


def _escape(text: str, random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + text[start:end].replace("<", "&lt;").replace(">", "&gt;") + text[end:]


def _fancy(text: str, random: Random) -> str:
    """What word processors and other keyboards make of it."""
    marks = str.maketrans(
        random.choice(({'"': "“", "'": "’"}, {"-": "–", "[": "［", "]": "］", ":": "："}, {" ": "\u00a0"}))
    )
    start, end = _span(text, random)
    return text[:start] + text[start:end].translate(marks) + text[end:]


_MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    *(_delete, _duplicate, _swap, _insert, _insert, _repeat_token, _replace, _flip_bytes, _truncate, _splice),
    *(_line_ends, _change_case, _escape, _fancy),
)

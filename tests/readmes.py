"""The READMEs of the repository, and the examples in them."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from attrs import define

ROOT: Final = Path(__file__).parent.parent

_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME: Final = re.compile(r"# (\w+\.py)\n")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@define(eq=False, slots=False)
class Readme:
    """One README; `str` is its name from the root of the repository."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """The language and the content of each fenced block, in order."""
        return _BLOCK.findall(self.text)

    @cached_property
    def prose(self) -> str:
        """Its text without the fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def anchors(self) -> set[str]:
        """What a link can name behind a `#`: one for each heading, as GitHub makes them."""
        headings = _HEADING.findall(self.prose)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}

    @property
    def files(self) -> Mapping[str, str]:
        """The examples that begin with the name of a Python file, by that name."""
        named = ((_FILE_NAME.match(block), block) for block in self._of("python"))
        return {match[1]: block for match, block in named if match}

    @property
    def scripts(self) -> list[str]:
        """The Python examples that run by themselves."""
        return [block for block in self._of("python") if not _FILE_NAME.match(block)]

    @property
    def commands(self) -> list[str]:
        """The examples for a shell."""
        return self._of("sh")

    def only(self, language: str) -> str:
        """The one block in this language."""
        (block,) = self._of(language)
        return block

    def heading_of(self, block: str) -> str:
        """The heading of the section that holds a block."""
        return str(_HEADING.findall(self.text[: self.text.index(block)])[-1])

    def module(self, name: str) -> Any:
        """The example of this name, as Python would import its file."""
        module = ModuleType(name)
        exec(compile(self.files[f"{name}.py"], f"{name}.py", "exec"), vars(module))
        return module

    def _of(self, language: str) -> list[str]:
        return [block for its_language, block in self.blocks if its_language == language]


MAIN: Final = Readme(ROOT / "README.md")
BULK: Final = Readme(ROOT / "contactsdk" / "bulk" / "README.md")
LISTS: Final = Readme(ROOT / "contactsdk" / "files" / "README.md")
INTEGRATIONS: Final = Readme(ROOT / "contactsdk" / "integrations" / "README.md")
BENCHMARKS: Final = Readme(ROOT / "benchmarks" / "README.md")

READMES: Final = (
    MAIN,
    BENCHMARKS,
    *(Readme(path) for path in sorted((ROOT / "contactsdk").rglob("README.md"))),
)
"""All of them; those above are found again here, as objects of their own."""

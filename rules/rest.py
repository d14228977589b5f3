"""The rest of a program of which only some files are judged: looked through for callers of a function, lowered where asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

from rules.code import Code
from rules.languages import front_end
from rules.meaning.contexts import SERVED, TEST_PATH
from rules.meaning.samples import bills_nobody, is_aside
from rules.meaning.vocabulary import words
from rules.mentions import Mention
from rules.tracing.digest import digest_of
from rules.tracing.graph import Graph, joined
from rules.tracing.places import INDEX
from rules.tracing.sights import Digest

SERVING = frozenset(
    "route routes router controller controllers handler handlers endpoint endpoints job jobs worker workers cron consumer "
    "consumers webhook webhooks api server view views".split()
)
"""Words of the paths, `src/api/` and `UsageController.java`, of files that are likely to be served."""
STARTING = frozenset({"main", "app"})
"""What a file is called that serves; as a folder, `src/main/`, either is around everything."""
LOWERED = 12
"""Files searched for something that is served."""


class Texts(Protocol):
    """All texts of a program, those that are judged and the rest."""

    @property
    def texts(self) -> Mapping[str, str]: ...

    def naming(self, name: str) -> frozenset[str]: ...

    def mentions(self, name: str) -> tuple[Mention, ...]: ...

    def lowered(self, path: str) -> Code | None: ...


@dataclass(frozen=True, eq=False)
class Rest:
    """A name that was not sought may stand in files that are not among the texts."""

    all: Texts
    sought: frozenset[str]
    known: Callable[[str], Code | None]
    """The files that are lowered anyway."""

    def sees(self, name: str) -> bool:
        return name in self.sought

    def naming(self, name: str) -> frozenset[str]:
        return self.all.naming(name)

    def mentions(self, name: str) -> tuple[Mention, ...]:
        return self.all.mentions(name)

    def code_of(self, path: str) -> Code | None:
        if path not in self._codes:
            at_hand = self.known(path)
            readable = path in self.all.texts and front_end(path) is not None
            self._codes[path] = at_hand or (self.all.lowered(path) if readable else None)
        return self._codes[path]

    def graph_of(self, name: str) -> Graph:
        """Who calls whom in the files that have a name."""
        if name not in self._graphs:
            self._graphs[name] = joined(filter(None, map(self.digest, self.naming(name))))
        return self._graphs[name]

    @cached_property
    def is_program(self) -> bool:
        """Whether any file serves, consumes or is scheduled: in a library the callers are other programs, and its samples
        are none of its own."""
        own = (path for path in self.all.texts if front_end(path) and not TEST_PATH.search(path) and not is_aside(path))
        likely = sorted(own, key=lambda path: (not may_serve(path), path))[:LOWERED]
        codes = filter(None, map(self.code_of, likely))
        digests = filter(None, (self.digest(code.facts.path) for code in codes if not bills_nobody(code.facts)))
        return any(one.context in SERVED for digest in digests for one in digest.routines)

    def is_handed_out(self, name: str, path: str) -> bool:
        """Whether the index of a package has it, so that whoever uses the package may call it."""
        return any(PurePosixPath(one).stem in INDEX for one in self.naming(name) - {path})

    def digest(self, path: str) -> Digest | None:
        if path not in self._digests:
            code = self.code_of(path)
            self._digests[path] = digest_of(code) if code is not None else None
        return self._digests[path]

    @cached_property
    def _codes(self) -> dict[str, Code | None]:
        return {}

    @cached_property
    def _digests(self) -> dict[str, Digest | None]:
        return {}

    @cached_property
    def _graphs(self) -> dict[str, Graph]:
        return {}


def may_serve(path: str) -> bool:
    return not SERVING.isdisjoint(words(path)) or PurePosixPath(path).stem in STARTING

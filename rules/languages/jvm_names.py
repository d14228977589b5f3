"""Names and types as Java and Kotlin write them: whose a bare name is, what a type is called, what an import stands for."""

import re

from tree_sitter import Node

from rules.facts import Call, Expression, Kind, Member, Name, Scope, chain, dotted, enclosing
from rules.languages.lowering import Lowering, span

BUILT_IN = ("java.", "javax.", "jakarta.", "kotlin.", "kotlinx.", "org.joda.time.")
"""What belongs to the language or stands for a part of it: such names read as if they needed no import."""
AGENTS = frozenset(
    "service services client repository repo dao api manager provider factory store gateway clock helper util utils registry "
    "template mapper producer consumer entitymanager session context adapter facade engine calculator resolver loader".split()
)
"""What a thing is called that does work when it is asked, as against one that only holds values."""
MAPS = frozenset(
    "Map HashMap ConcurrentHashMap ConcurrentMap LinkedHashMap TreeMap SortedMap EnumMap MutableMap WeakHashMap".split()
)
LISTS = frozenset(
    "List ArrayList LinkedList CopyOnWriteArrayList Collection Set HashSet LinkedHashSet TreeSet Queue Deque ArrayDeque "
    "ConcurrentLinkedQueue LinkedBlockingQueue ArrayBlockingQueue BlockingQueue ConcurrentLinkedDeque LinkedBlockingDeque "
    "PriorityQueue Vector MutableList MutableSet ConcurrentLinkedDeque ImmutableList".split()
)
DOMAINS = frozenset("com org io net dev co ai app software".split())
MODELS = frozenset({"model", "models"})
"""What a package's name only says of Java: `com.stripe.model.billing.MeterEvent` reads `stripe.billing.MeterEvent`."""
SHARED = "static "
"""Stands before the type of a field that belongs to the class: it is used like a constant of the file."""
GENERIC = re.compile(r"<.*$", re.DOTALL)
WORD = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)\d*$")
ESCAPE = re.compile(r"\\(u+[0-9a-fA-F]{4}|[0-7]{1,3}|\r\n|.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " ", "\n": "", "\r\n": ""}


def simple(written: str) -> str:
    """`java.util.Map<String, Long>` reads `Map`; `Long?` reads `Long`."""
    return GENERIC.sub("", written.removeprefix(SHARED)).strip().rstrip("?!").rpartition(".")[2]


def declare(low: Lowering, name: str, scope: Scope, written: str = "") -> None:
    low.declared[scope, name] = written


def declared_type(low: Lowering, name: str, scope: Scope) -> str:
    """The type of a variable, parameter or field, without type arguments; empty where none is written."""
    holder = next((outer for outer in chain(scope) if (outer, name) in low.declared), None)
    return simple(low.declared[holder, name]) if holder is not None else ""


def type_of(low: Lowering, one: Expression, scope: Scope) -> str:
    """The declared type of what an expression names, without type arguments."""
    if isinstance(one, Name):
        return declared_type(low, one.text, scope)
    if isinstance(one, Member) and isinstance(one.object, Name) and one.object.text == "this":
        holder = enclosing(scope, Kind.CLASS)
        return simple(low.declared.get((holder, one.name), "")) if holder is not None else ""
    if isinstance(one, Call) and one.constructs:
        return simple(one.name)
    return ""


def name_of(low: Lowering, node: Node, scope: Scope) -> Expression:
    """A bare name. That of an instance's field reads `this.field`, as other languages must write it."""
    text = low.text(node)
    holder = next((outer for outer in chain(scope) if (outer, text) in low.declared), None)
    made = Name(span(node), text)
    if holder is None or holder.kind is not Kind.CLASS or low.declared[holder, text].startswith(SHARED):
        return made
    return Member(made.span, Name(made.span, "this"), text)


def does_work(low: Lowering, one: Expression, scope: Scope) -> bool:
    """Whether a receiver is a service and no value: a class, or something called or typed like a service."""
    if isinstance(one, Name) and one.text[:1].isupper():
        return True
    if isinstance(one, Call):
        return False
    return last_word(type_of(low, one, scope)) in AGENTS or last_word(dotted(one)) in AGENTS


def last_word(name: str) -> str:
    """`usageRepository` ends in `repository`."""
    found = WORD.search(name)
    return found[0].lower() if found else ""


def import_name(low: Lowering, path: str, local: str, package: str) -> None:
    """Binds a class's name to what it stands for.

    The project's own classes and the language's are called by their own name, as functions that are imported alone are.
    """
    low.packages.add(path)
    if not local[:1].isupper() or path.startswith(BUILT_IN):
        return
    own = package.split(".")[:2]
    if len(own) == 2 and path.split(".")[:2] == own:
        return
    low.imports[local] = ".".join(one for place, one in enumerate(path.split(".")) if one not in (DOMAINS, MODELS)[place > 0])


def unescaped(text: str) -> str:
    return ESCAPE.sub(character, text) if "\\" in text else text


def character(match: re.Match[str]) -> str:
    code = match[1]
    if code in ESCAPED:
        return ESCAPED[code]
    if code[0] == "u" and len(code) > 4:
        return chr(int(code.lstrip("u"), 16))
    return chr(int(code, 8)) if code[0] in "01234567" else code

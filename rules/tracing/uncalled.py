"""Whether nobody calls the function around a finding: in a whole project by its graph, else by the rest of the texts."""

from rules.code import Code
from rules.facts import Function, Scope, chain
from rules.meaning.vocabulary import words
from rules.mentions import Mention
from rules.rest import Rest
from rules.tracing.callers import MANY, defines, is_dead, is_program, only_hands_out, outermost


def uncalled(code: Code, scope: Scope) -> bool:
    """Whether all of a program can be looked through and nothing in it calls, names or registers the function around."""
    if code.elsewhere.rest is not None:
        return uncalled_in_rest(code, code.elsewhere.rest, scope)
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    if trace is None or not is_program(trace.graph):
        return False
    node = trace.graph.at(code.facts.path, scope.span.line)
    return node is not None and is_dead(code.elsewhere, trace.graph, outermost(trace.graph, node))


def uncalled_in_rest(code: Code, rest: Rest, scope: Scope) -> bool:
    """The same where only some files are judged: of the others those are asked that have the function's name."""
    function = outermost_named(scope)
    name = function.head.name if function is not None and isinstance(function.head, Function) else ""
    if function is None or not rest.sees(name) or len(rest.naming(name)) > MANY:
        return False
    if rest.is_handed_out(name, code.facts.path):
        return False
    graph = rest.graph_of(name)
    node = graph.at(code.facts.path, function.span.line)
    return node is not None and is_dead(rest, graph, node) and others_are_called(code, rest, name) and rest.is_program


def others_are_called(code: Code, rest: Rest, name: str) -> bool:
    """Whether another function of the file is named elsewhere: a file that nobody uses at all may be loaded by its place, or
    belong to a library."""
    heads = (one.head for one in code.facts.scopes if isinstance(one.head, Function))
    beside = {head.name for head in heads if head.name != name and rest.sees(head.name) and len(words(head.name)) > 1}
    return any(is_called_beyond(rest.mentions(each), each, code.facts.path) for each in sorted(beside))


def is_called_beyond(found: tuple[Mention, ...], name: str, path: str) -> bool:
    """Whether a name that only this file defines does more in another than be handed out."""
    beyond = [one for one in found if one.path != path]
    return not any(defines(one, name) for one in beyond) and any(not only_hands_out(one, name) for one in beyond)


def outermost_named(scope: Scope) -> Scope | None:
    named = [one for one in chain(scope) if isinstance(one.head, Function) and one.head.name]
    return named[-1] if named else None

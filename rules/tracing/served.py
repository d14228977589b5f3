"""Whether code runs in the program at hand: something that is started from outside leads to it."""

from rules.code import Code
from rules.facts import Scope
from rules.meaning.contexts import Context
from rules.tracing.graph import upwards

SERVED = frozenset({Context.REQUEST, Context.WEBHOOK, Context.WORKER, Context.SCHEDULE})
HOPS = 8


def served(code: Code, scope: Scope) -> bool:
    """Whether a request, webhook, message or schedule leads here. Where not the whole program is at hand, it may."""
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    if trace is None or code.context(scope) in SERVED:
        return True
    here = trace.graph.at(code.facts.path, scope.span.line)
    return here is None or any(trace.graph.context(one.node) in SERVED for one in upwards(trace.graph, here, HOPS))

"""A function that writes usage reports its failure in what it returns, and no caller looks at it.

The function catches the error and answers `false`, `null` or `{ success: false }`; its callers go on as if the usage had been
recorded. Each half looks right alone, and together they lose usage in silence. Let the function raise, or test its result where
it is called and keep the event for another attempt.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Scope, Start, Use, enclosing
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.usage.emissions import is_local
from rules.meaning.usage.losses import answers_errors, excused, gives_back, is_catch
from rules.meaning.usage.writes import failing_writes
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-128",
    title="Wrapper reports failure in a status that no caller reads",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E3",),
    cwe=("CWE-252",),
    iso_25010="Reliability / fault tolerance",
    gives_way_to=("emit-not-awaited", "emit-error-swallowed"),
)


def check(code: Code) -> Iterator[Finding]:
    for function, handler in answering(code).items():
        callers = [call for call in code.facts.calls if calls(code, call, function)]
        ignoring = [call for call in callers if ignores(call)]
        if callers and len(ignoring) == len(callers):
            yield unread(code, function, handler, ignoring[0])


def answering(code: Code) -> dict[Scope, Scope]:
    """Functions whose handler turns the failure of a usage write into a value, with that handler."""
    found: dict[Scope, Scope] = {}
    for write in failing_writes(code):
        if write.call is None or gives_back(write.call) or code.context(write.scope) in (Context.TEST, Context.BROWSER):
            continue
        handler = next(iter(handlers_of(code, write.call, write.sent or write.call)), None)
        function = enclosing(handler, Kind.FUNCTION) if handler is not None else None
        if handler is None or function is None or excused(code, write, handler):
            continue
        if is_catch(handler) and answers_errors(code, write.call):
            continue
        if outcome(code.facts, handler) in (Outcome.STATUS, Outcome.NOTHING) and named_once(code, function):
            found.setdefault(function, handler)
    return found


def named_once(code: Code, function: Scope) -> bool:
    head = function.head
    return isinstance(head, Function) and bool(head.name) and len(code.values.functions.get(head.name, ())) == 1


def calls(code: Code, call: Call, function: Scope) -> bool:
    head = function.head
    assert isinstance(head, Function)
    inside = enclosing(call.scope, Kind.FUNCTION) is function
    return call.method == head.name and not inside and is_local(call, code.values)


def ignores(call: Call) -> bool:
    return call.use is Use.DISCARDED and call.start in (Start.PLAIN, Start.AWAITED)


def unread(code: Code, function: Scope, handler: Scope, call: Call) -> Finding:
    head = function.head
    assert isinstance(head, Function)
    fail = code.facts.idioms.fail
    return Finding(
        span=call.span,
        cause=call.span,
        description=f"`{head.name}` answers a status when its usage write fails, and nothing reads it here: the usage is lost.",
        remediation=f"Let `{head.name}` {fail}, or test its result here and keep the event for another attempt.",
        confidence=Confidence.LIKELY,
        trace=(Step(handler.span, "the failure becomes a value here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
def save_usage(db, customer, tokens):
    try:
        db.usage_events.insert_one({"customer": customer, "tokens": tokens})
    except DatabaseError as error:
        return {"success": False, "reason": str(error)}
    return {"success": True}

def complete(db, request):
    answer = generate(request.prompt)
    save_usage(db, request.customer, answer.tokens)  # <- finding
    return answer
""",
    ),
    Example(
        "python",
        """
def save_usage(db, customer, tokens):
    try:
        db.usage_events.insert_one({"customer": customer, "tokens": tokens})
    except DatabaseError as error:
        return {"success": False, "reason": str(error)}
    return {"success": True}

def complete(db, request, outbox):
    answer = generate(request.prompt)
    if not save_usage(db, request.customer, answer.tokens)["success"]:
        outbox.put(request.customer, answer.tokens)
    return answer
""",
    ),
    Example(
        "typescript",
        """
async function deduct(prisma: PrismaClient, userId: string): Promise<boolean> {
  try {
    await prisma.user.update({ where: { id: userId }, data: { credits: { decrement: 1 } } });
    return true;
  } catch (error) {
    console.error("credits not deducted", error);
    return false;
  }
}

export async function generateImage(prisma: PrismaClient, userId: string, prompt: string) {
  const image = await render(prompt);
  await deduct(prisma, userId);  // <- finding
  return image;
}
""",
    ),
    Example(
        "typescript",
        """
async function deduct(prisma: PrismaClient, userId: string): Promise<boolean> {
  try {
    await prisma.user.update({ where: { id: userId }, data: { credits: { decrement: 1 } } });
    return true;
  } catch (error) {
    console.error("credits not deducted", error);
    return false;
  }
}

export async function generateImage(prisma: PrismaClient, userId: string, prompt: string) {
  const paid = await deduct(prisma, userId);
  if (!paid) throw new Error("not charged");
  return render(prompt);
}
""",
    ),
    Example(
        "typescript",
        """
async function grant(supabase: SupabaseClient, account: string, credits: number, bonus: number) {
  try {
    await supabase.from("accounts").update({ credits: credits + bonus }).eq("id", account);
    return true;
  } catch (error) {
    console.error("no bonus", error);
    return false;
  }
}

export async function signedUp(supabase: SupabaseClient, account: string, credits: number) {
  await grant(supabase, account, credits, 20);
  return welcome(account);
}
""",
    ),
    Example(
        "go",
        """
package relay

func charge(store *Store, user int, quota int64) bool {
	if err := store.DecreaseUserQuota(user, quota); err != nil {
		log.Printf("quota not taken: %v", err)
		return false
	}
	return true
}

func complete(store *Store, user int, answer Answer) Answer {
	charge(store, user, answer.Quota)  // <- finding
	return answer
}
""",
    ),
    Example(
        "go",
        """
package relay

func charge(store *Store, user int, quota int64) bool {
	if err := store.DecreaseUserQuota(user, quota); err != nil {
		log.Printf("quota not taken: %v", err)
		return false
	}
	return true
}

func complete(store *Store, user int, answer Answer) (Answer, error) {
	if !charge(store, user, answer.Quota) {
		return answer, errors.New("not charged")
	}
	return answer, nil
}
""",
    ),
)

"""A function that nobody calls: told only where the whole program is at hand, and it answers requests."""

from rules.project import Before, Project
from rules.tracing.callers import uncalled

COUNTING = """
export async function addSeatUse(db, id) {
  const row = await db.seats.findFirst({ where: { id } });
  await db.seats.update({ where: { id }, data: { usedCount: row.usedCount + 1 } });
}
"""
ROUTES = """
import { %s } from "./seats";
app.post("/used", async (req, res) => {
  await %s(db, req.body.id);
  await billing.recordUsage({ account: req.body.account, quantity: 1 });
  res.json({ ok: true });
});
"""


def dead(whole: bool = True, **files: str) -> bool:
    others = {f"billing/plan{number}.js": f"export const usageLimit{number} = {number};" for number in range(5)}
    texts = {"seats.js": COUNTING, **others, **{f"{name}.js": text for name, text in files.items()}}
    code = Project(texts, whole=whole, judged=dict.fromkeys(texts, Before())).code_at("seats.js")
    assert code is not None
    return uncalled(code, next(call.scope for call in code.facts.calls if call.method == "update"))


def test_a_function_that_no_file_names_is_dead() -> None:
    assert dead(routes=ROUTES % ("listSeats", "listSeats"))


def test_one_that_is_called_is_not() -> None:
    assert not dead(routes=ROUTES % ("addSeatUse", "addSeatUse"))


def test_one_that_is_handed_on_is_not() -> None:
    assert not dead(
        routes=ROUTES % ("listSeats", "listSeats"), hooks='import { addSeatUse } from "./seats";\nhooks.push(addSeatUse);'
    )


def test_a_library_is_called_from_elsewhere() -> None:
    assert not dead()


def test_what_is_not_at_hand_may_call_it() -> None:
    assert not dead(whole=False, routes=ROUTES % ("listSeats", "listSeats"))


def test_another_of_the_same_name_is_the_one_that_is_called() -> None:
    other = COUNTING.replace("row.usedCount + 1", "{ increment: 1 }") + "await billing.recordUsage(id);"
    routes = (ROUTES % ("addSeatUse", "addSeatUse")).replace("./seats", "./stock")
    assert dead(routes=routes, stock=other)

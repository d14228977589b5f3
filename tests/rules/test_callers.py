"""A function that nobody calls: told only where the whole program is at hand, and it answers requests."""

import pytest

from rules.mentions import mentions
from rules.project import Before, Project
from rules.tracing.uncalled import uncalled

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


def test_an_import_that_is_never_used_calls_nothing() -> None:
    assert dead(routes=ROUTES % ("listSeats, addSeatUse", "listSeats"))


def test_what_speaks_of_it_calls_nothing() -> None:
    assert dead(routes="// addSeatUse counts a seat\n" + ROUTES % ("listSeats", "listSeats"))


def test_one_that_is_brought_in_under_another_name_is_called() -> None:
    assert not dead(routes=ROUTES % ("addSeatUse as count", "count"))


def test_what_only_dead_functions_call_is_dead() -> None:
    renew = 'import { addSeatUse } from "./seats";\nexport async function renewAllSeats(db, ids, usage) {\n%s\n}\n'
    body = "  for (const id of ids) await addSeatUse(db, id);"
    assert dead(routes=ROUTES % ("listSeats", "listSeats"), renewals=renew % body)
    assert not dead(routes=(ROUTES % ("renewAllSeats", "renewAllSeats")), renewals=renew % body)


def test_a_package_that_others_use_is_called_by_them() -> None:
    routes = ROUTES % ("listSeats", "listSeats")
    assert dead(routes=routes)
    texts = {"packages/meter/seats.js": COUNTING, "packages/meter/index.js": 'export * from "./seats";', "routes.js": routes}
    assert not dead_in("packages/meter/seats.js", texts)


LEDGER = """
class %s {
  async takeCredits(db, id, amount) {
    const row = await db.accounts.findFirst({ where: { id } });
    await db.accounts.update({ where: { id }, data: { credits: row.credits - amount } });
  }
}
module.exports = { %s };
"""
USES = """
const { CreditWallet } = require("./wallet");
app.post("/run", async (req, res) => {
  const wallet = new CreditWallet();
  await wallet.takeCredits(db, req.body.account, 1);
  res.json({ ok: true });
});
"""


def dead_in(path: str, texts: dict[str, str]) -> bool:
    others = {f"billing/plan{number}.js": f"export const usageLimit{number} = {number};" for number in range(5)}
    texts = {**others, **texts}
    code = Project(texts, judged=dict.fromkeys(texts, Before())).code_at(path)
    assert code is not None
    return uncalled(code, next(call.scope for call in code.facts.calls if call.method == "update"))


def test_a_method_of_a_class_that_nobody_makes_is_dead() -> None:
    texts = {
        "ledger.js": LEDGER % ("CreditLedger", "CreditLedger"),
        "wallet.js": LEDGER % ("CreditWallet", "CreditWallet"),
        "routes.js": USES,
    }
    assert dead_in("ledger.js", texts)
    assert not dead_in("wallet.js", texts)


def test_a_class_that_is_made_where_it_is_exported_is_not() -> None:
    made = LEDGER.replace("module.exports = { %s };", "module.exports.ledger = new %s();")
    texts = {"ledger.js": made % ("CreditLedger", "CreditLedger"), "routes.js": USES.replace("CreditWallet", "ledger")}
    assert not dead_in("ledger.js", texts)


def test_what_is_called_unused_is_dead_even_in_a_controller() -> None:
    routes = ROUTES % ("listSeats", "listSeats")
    controller = "export class SeatController {\n  async %s(req, res) {\n    await db.seats.update(req.body.usage);\n  }\n}\n"
    assert dead_in("seats.js", {"seats.js": controller % "countSeat_UNUSED", "routes.js": routes})
    assert not dead_in("seats.js", {"seats.js": controller % "countSeat", "routes.js": routes})


@pytest.mark.parametrize(
    "text",
    [
        "import { CreditLedger } from './ledger';\nimport {\n  plans,\n  CreditLedger,\n} from './billing';",
        "from billing.ledger import CreditLedger",
        "from billing import (\n    CreditLedger,\n    plans,\n)",
        "export { CreditLedger } from './ledger';",
        "const { CreditLedger } = require('./ledger');",
        "use App\\Billing\\CreditLedger;",
        "__all__ = [\n  'CreditLedger',\n]",
        "# a CreditLedger takes credits\n  * CreditLedger\ntake(); // CreditLedger",
    ],
)
def test_bringing_in_handing_out_and_speaking_of_is_no_mention(text: str) -> None:
    assert [] == list(mentions("a.ts", text, "CreditLedger"))


@pytest.mark.parametrize(
    "text",
    [
        "import { plans } from './plans';\nexport async function take(id) {\n  new CreditLedger().take(id);\n}",
        "import { CreditLedger as Ledger } from './ledger';",
        "module.exports = { ledger: CreditLedger };",
        "$url = 'https://x.test//CreditLedger';",
        "#[Uses(CreditLedger::class)]",
    ],
)
def test_a_use_is_a_mention(text: str) -> None:
    assert [one.text in text for one in mentions("a.ts", text, "CreditLedger")] == [True]


def test_the_name_of_a_package_is_no_folder_that_is_looked_into() -> None:
    routes = ROUTES % ("listSeats", "listSeats")
    others = {f"billing/plan{number}.js": f"export const usageLimit{number} = {number};" for number in range(5)}

    def dead_at(path: str) -> bool:
        texts = {path: COUNTING, **others, "routes.js": routes}
        code = Project(texts, judged=dict.fromkeys(texts, Before())).code_at(path)
        assert code is not None
        return uncalled(code, next(call.scope for call in code.facts.calls if call.method == "update"))

    assert dead_at("packages/rpc/src/seat-use.js")
    assert not dead_at("packages/core/src/rpc/seat-use.js")


def test_an_object_that_nobody_names_calls_none_of_its_parts() -> None:
    bundle = COUNTING + "\nexport const seatUse = {\n  add: addSeatUse,\n};\n"
    shown = ROUTES % ("seatUse", "seatUse.add")
    assert dead_in("seats.js", {"seats.js": bundle, "routes.js": ROUTES % ("listSeats", "listSeats")})
    assert not dead_in("seats.js", {"seats.js": bundle, "routes.js": shown})


def test_the_library_folder_of_a_program_is_no_package() -> None:
    routes = ROUTES % ("listSeats", "listSeats")
    texts = {"src/lib/seats.js": COUNTING, "src/lib/index.js": 'export * from "./seats";', "routes.js": routes}
    assert dead_in("src/lib/seats.js", texts)

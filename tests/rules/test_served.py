"""A race is said aloud where a handler is seen to lead to it, and requests can be in it at once."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

OTHERS = {f"src/Billing/Plan{number}.cs": f"class Plan{number} {{ int UsageLimit = {number}; }}\n" for number in range(5)}
DECLARED = """
public interface IAllowanceService
{
    Task UseAllowanceAsync(Guid subscriptionId, int amount);
}
"""
SERVICE = """
public class AllowanceService : IAllowanceService
{
    public async Task UseAllowanceAsync(Guid subscriptionId, int amount)
    {
        var allowance = await _context.Allowances.FirstAsync(a => a.SubscriptionId == subscriptionId);
        allowance.UsedCredits += amount;
        await _context.SaveChangesAsync();
    }
}
"""
CONTROLLER = """
[ApiController]
public class AllowancesController : ControllerBase
{
    [HttpPost("use")]
    public async Task<IActionResult> Use(UseRequest request)
    {
        await _allowances.UseAllowanceAsync(request.SubscriptionId, request.Amount);
        return Ok();
    }
}
"""
TEST = """
public class Allowed
{
    public bool MayUse(Allowance allowance) { return allowance.UsedCredits < allowance.CreditLimit; }
}
"""
DECLARING = {"src/Billing/IAllowanceService.cs": DECLARED, "src/Billing/Allowed.cs": TEST}
CALLED = {"src/Api/AllowancesController.cs": CONTROLLER}
ROUTER = """
from fastapi import APIRouter

router = APIRouter(prefix="/credits")


@router.post("/use")
def use(user_id: str, amount: int, db: Session):
    user = db.query(User).filter_by(id=user_id).first()
    user.credits -= amount
    db.commit()
    return {"left": user.credits}
"""
APP = """
from fastapi import FastAPI

from app.routes.{0} import router

app = FastAPI()
app.include_router(router)


@app.get("/usage")
def usage(user_id: str):
    user = load(user_id)
    if user.credits < 1:
        raise HTTPException(402)
    return user.credits
"""
PLANS = {f"app/billing/plan{number}.py": f"usage_limit = {number}\n" for number in range(5)}


def said(files: dict[str, str]) -> list[str]:
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in sorted(files.items())), partial=False)
    return [str(one.confidence) for one in examine(change, Options(), "0").findings if one.rule == "MTR-308"]


@pytest.mark.parametrize(("callers", "confidences"), [(CALLED, ["likely"]), ({}, ["possible"])])
def test_a_declaration_in_an_interface_is_no_caller(callers: dict[str, str], confidences: list[str]) -> None:
    other = {} if callers else {"src/Api/PlansController.cs": CONTROLLER.replace("UseAllowanceAsync", "ShowAsync")}

    assert said({**OTHERS, **DECLARING, "src/Billing/AllowanceService.cs": SERVICE, **callers, **other}) == confidences


@pytest.mark.parametrize(("brought", "confidences"), [("spending", ["likely"]), ("plans", ["possible"])])
def test_a_router_that_nobody_brings_in_answers_nobody(brought: str, confidences: list[str]) -> None:
    assert said({**PLANS, "app/routes/spending.py": ROUTER, "app/main.py": APP.format(brought)}) == confidences


SEATS = """
public class SeatService
{
    public async Task UseAllowanceAsync(Guid subscriptionId, int amount)
    {
        await _context.SeatUsages.AddAsync(new SeatUsage { SubscriptionId = subscriptionId, Quantity = amount });
    }
}
"""


@pytest.mark.parametrize(("receiver", "confidences"), [("_allowances", ["likely"]), ("_seatService", ["possible"])])
def test_the_method_of_another_class_is_no_call_of_this_one(receiver: str, confidences: list[str]) -> None:
    services = {"src/Billing/AllowanceService.cs": SERVICE, "src/Billing/SeatService.cs": SEATS}
    calling = {"src/Api/AllowancesController.cs": CONTROLLER.replace("_allowances", receiver)}

    assert said({**OTHERS, **DECLARING, **services, **calling}) == confidences


TASK = """
from app.queue import celery


@celery.task(name="book_credits")
def book_credits(user_id, amount):
    user = db.query(User).filter_by(id=user_id).first()
    user.credits -= amount
    db.commit()
"""
SENDER = """
from app.tasks.booking import book_credits


def book_later(user_id, amount):
    # usage billing subscription
    book_credits.delay(user_id, amount)
"""


@pytest.mark.parametrize(("sent", "confidences"), [("book_later(user_id, 1)", ["likely"]), ("show(user_id)", ["possible"])])
def test_a_task_that_only_an_uncalled_function_sends_never_runs(sent: str, confidences: list[str]) -> None:
    app = APP.format("plans").replace("    return user.credits", f"    {sent}\n    return user.credits")

    assert said({**PLANS, "app/tasks/booking.py": TASK, "app/later.py": SENDER, "app/main.py": app}) == confidences


OBJECT = """
export async function addUsage(userId: string, amount: number) {
  const row = await prisma.usage.findUnique({ where: { userId } });
  await prisma.usage.update({ where: { userId }, data: { creditsUsed: row.creditsUsed + amount } });
}

export const usageBook = {
  add: addUsage,
};
"""
ROUTE = """
export async function POST(request: Request) {
  const row = await prisma.usage.findUnique({ where: { userId: "u" } });
  if (row.creditsUsed >= row.creditLimit) return Response.json({ ok: false });
  await {0}("u", 1);
  return Response.json({ ok: true });
}
"""
PRICES = {f"src/billing/plan{number}.ts": f"export const usageLimit = {number};\n" for number in range(5)}


@pytest.mark.parametrize(("called", "confidences"), [("usageBook.add", ["certain"]), ("show", ["possible"])])
def test_who_is_only_in_an_object_that_nobody_names_is_not_called(called: str, confidences: list[str]) -> None:
    route = ROUTE.replace("{0}", called)

    assert said({**PRICES, "src/billing/book.ts": OBJECT, "app/api/use/route.ts": route}) == confidences

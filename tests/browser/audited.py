"""Code for the browser's tests, and the steps that several of them take."""

from playwright.sync_api import Page, expect

PYTHON = """import stripe

def report(customer_id, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer_id, "value": str(tokens)},
    )
"""
GO = """package archive

func consume(ctx context.Context, reader *kafka.Reader, store *Store) error {
	for {
		message, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		if err := reader.CommitMessages(ctx, message); err != nil {
			return err
		}
		if err := store.InsertUsageEvent(ctx, decode(message.Value)); err != nil {
			return err
		}
	}
}
"""
BUNDLE = f"--- api/billing.py ---\n{PYTHON}--- archive/consumer.go ---\n{GO}"


def paste(page: Page, text: str = BUNDLE, name: str = "") -> None:
    page.get_by_label("Code to audit").fill(text)
    page.get_by_label("File name").fill(name)


def audit(page: Page, text: str = BUNDLE, name: str = "") -> None:
    """Until the report is there."""
    paste(page, text, name)
    press_audit(page)
    reported(page)


def press_audit(page: Page) -> None:
    page.locator("#audit").click()


def reported(page: Page) -> None:
    expect(page.get_by_role("group", name="Export the report")).to_be_visible(timeout=30_000)


def rules_shown(page: Page) -> list[str]:
    """The rules of the findings that can be seen, in their order."""
    return page.eval_on_selector_all(
        "#list article.finding", "all => all.filter(one => one.checkVisibility()).map(one => one.dataset.rule)"
    )

"""In what situation a handler of each framework runs."""

import pytest

from rules.languages import front_end
from rules.meaning.contexts import Context, context_of


def found_in(path: str, text: str) -> Context:
    """The context of the innermost function that calls `work`."""
    lower = front_end(path)
    assert lower is not None
    facts = lower(path, text.encode())
    scope = next(call.scope for call in facts.calls if call.method.lower() == "work")
    return context_of(facts, scope)


TYPESCRIPT = {
    "next-route": ("app/api/usage/route.ts", "export async function POST(request: Request) { await work(); }"),
    "next-pages": ("pages/api/usage.ts", "export default async function handler(req, res) { await work(); }"),
    "server-action": ("app/actions.ts", '"use server";\nexport async function spend(form: FormData) { await work(); }'),
    "express": ("src/app.ts", 'app.post("/usage", async (req, res) => { await work(); });'),
    "express-router": ("src/usage.ts", 'usageRouter.post("/", requireUser, async (req, res) => { await work(); });'),
    "hono": ("src/index.ts", 'const app = new Hono();\napp.post("/usage", async (c) => { await work(); });'),
    "fastify": ("src/index.ts", 'fastify.post("/usage", async (request, reply) => { await work(); });'),
    "fastify-instance": (
        "src/index.ts",
        'server.route({ method: "POST", url: "/usage", handler: async (request, reply) => { await work(); } });',
    ),
    "nest": (
        "src/usage.controller.ts",
        '@Controller("usage")\nexport class UsageController {\n  @Post("spend")\n'
        "  async spend(@Body() body: Spend) { await work(); }\n}",
    ),
    "trpc": (
        "src/router.ts",
        "export const usage = router({ spend: protectedProcedure.input(schema).mutation(async "
        "({ ctx, input }) => { await work(); }) });",
    ),
    "elysia-like": ("src/index.ts", 'api.get("/usage", async ({ params }) => { await work(); });'),
}
TYPESCRIPT_WORK = {
    "bullmq": ("src/worker.ts", 'new Worker("usage", async (job) => { await work(); });'),
    "bullmq-typed": ("src/usage.ts", "export async function spend(job: Job<Usage>) { await work(); }"),
    "bull": ("src/worker.ts", "usageQueue.process(async (job) => { await work(); });"),
    "nest-bull": (
        "src/usage.processor.ts",
        '@Processor("usage")\nexport class UsageProcessor extends WorkerHost {\n  async process(job: Job) { await work(); }\n}',
    ),
    "inngest": (
        "src/functions.ts",
        'export const spend = inngest.createFunction({ id: "spend" }, { event: "usage/spent" '
        "}, async ({ event, step }) => { await work(); });",
    ),
    "trigger": (
        "src/trigger/usage.ts",
        'export const spend = task({ id: "spend", run: async (payload) => { await work(); } });',
    ),
    "temporal": (
        "src/activities.ts",
        'import { Context } from "@temporalio/activity";\n'
        "export async function spend(input: Spend) { Context.current().heartbeat(); await "
        "work(); }",
    ),
    "sqs-lambda": ("src/consume.ts", "export const main = async (event: SQSEvent) => { await work(); };"),
    "sqs-consumer": ("src/consume.ts", "Consumer.create({ queueUrl, handleMessage: async (message) => { await work(); } });"),
    "kafkajs": ("src/consume.ts", "await consumer.run({ eachMessage: async ({ topic, message }) => { await work(); } });"),
    "amqp": ("src/consume.ts", 'channel.consume("usage", async (message) => { await work(); });'),
}
PYTHON = {
    "fastapi": ("api/usage.py", '@router.post("/usage")\nasync def spend(body: Spend):\n    await work()\n'),
    "flask": ("api/usage.py", '@app.route("/usage", methods=["POST"])\ndef spend():\n    work()\n'),
    "flask-blueprint": ("api/usage.py", '@usage_bp.post("/usage")\ndef spend():\n    work()\n'),
    "django-view": ("api/views.py", "def spend(request):\n    work()\n"),
    "django-class": ("api/views.py", "class SpendView(APIView):\n    def post(self, request):\n        work()\n"),
    "drf-action": (
        "api/views.py",
        "class UsageViewSet(ModelViewSet):\n    @action(detail=True)\n    def spend(self, request, pk=None):\n        work()\n",
    ),
}
PYTHON_WORK = {
    "celery": ("app/tasks.py", "@app.task(bind=True)\ndef spend(self, user):\n    work()\n"),
    "celery-shared": ("app/tasks.py", "@shared_task\ndef spend(user):\n    work()\n"),
    "dramatiq": ("app/tasks.py", "@dramatiq.actor\ndef spend(user):\n    work()\n"),
    "rq": ("app/tasks.py", '@job("usage", connection=redis)\ndef spend(user):\n    work()\n'),
    "arq": (
        "app/worker.py",
        "async def spend(ctx, user):\n    await work()\n\nclass WorkerSettings:\n    functions = [spend]\n",
    ),
    "kafka-python": ("app/consumer.py", "class UsageConsumer:\n    def handle(self, message):\n        work()\n"),
}
GO = {
    "net-http": ("api/usage.go", "package api\nfunc spend(w http.ResponseWriter, r *http.Request) {\n\twork()\n}\n"),
    "net-http-inline": (
        "api/usage.go",
        "package api\nfunc routes(mux *http.ServeMux) {\n"
        '\tmux.HandleFunc("/usage", func(w http.ResponseWriter, r *http.Request) {\n\t\twork()\n'
        "\t})\n}\n",
    ),
    "gin": ("api/usage.go", "package api\nfunc Spend(c *gin.Context) {\n\twork()\n}\n"),
    "echo": ("api/usage.go", "package api\nfunc Spend(c echo.Context) error {\n\twork()\n\treturn nil\n}\n"),
    "fiber": ("api/usage.go", "package api\nfunc Spend(c *fiber.Ctx) error {\n\twork()\n\treturn nil\n}\n"),
}
GO_WORK = {
    "sarama": (
        "worker/usage.go",
        "package worker\nfunc (h *Handler) store(m *sarama.ConsumerMessage) error {\n\twork()\n\treturn nil\n}\n",
    ),
    "sarama-claim": (
        "worker/usage.go",
        "package worker\n"
        "func (h *Handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim "
        "sarama.ConsumerGroupClaim) error {\n\twork()\n\treturn nil\n}\n",
    ),
    "segmentio": ("worker/usage.go", "package worker\nfunc store(m kafka.Message) error {\n\twork()\n\treturn nil\n}\n"),
    "segmentio-loop": (
        "worker/usage.go",
        "package worker\nfunc (s *Sink) loop(ctx context.Context) {\n\tfor {\n"
        "\t\tm, err := s.reader.FetchMessage(ctx)\n\t\tif err != nil {\n\t\t\treturn\n\t\t}\n\t\twork(m)\n\t}\n"
        "}\n",
    ),
    "confluent": (
        "worker/usage.go",
        "package worker\nfunc (s *Sink) loop(ctx context.Context) {\n\tfor {\n"
        "\t\tm, err := s.consumer.ReadMessage(-1)\n\t\tif err != nil {\n\t\t\treturn\n\t\t}\n\t\twork(m)\n\t}\n"
        "}\n",
    ),
    "amqp": ("worker/usage.go", "package worker\nfunc store(d amqp.Delivery) error {\n\twork()\n\treturn nil\n}\n"),
    "asynq": (
        "worker/usage.go",
        "package worker\nfunc HandleSpend(ctx context.Context, t *asynq.Task) error {\n\twork()\n\treturn nil\n}\n",
    ),
}
SCHEDULES = {
    "node-cron": ("src/close.ts", 'cron.schedule("0 0 * * *", async () => { await work(); });'),
    "nest-cron": ("src/close.ts", "export class Close {\n  @Cron('0 0 * * *')\n  async run() { await work(); }\n}"),
    "next-cron": ("app/api/cron/route.ts", "export async function GET(request: Request) { await work(); }"),
    "trigger-schedule": (
        "src/trigger/close.ts",
        'export const close = schedules.task({ id: "close", cron: "0 0 * * *", run: async () => { await work(); } });',
    ),
    "apscheduler": ("app/close.py", '@scheduler.scheduled_job("cron", hour=0)\ndef close():\n    work()\n'),
    "celery-periodic": ("app/close.py", "@periodic_task(run_every=day)\ndef close():\n    work()\n"),
    "robfig": ("main.go", 'package main\nfunc main() {\n\tc.AddFunc("@daily", func() {\n\t\twork()\n\t})\n}\n'),
}
WEBHOOKS = {
    "next": ("app/api/stripe/webhook/route.ts", "export async function POST(request: Request) { await work(); }"),
    "signed": (
        "src/app.ts",
        'app.post("/stripe", async (req, res) => { stripe.webhooks.constructEvent(a, b, c); await work(); });',
    ),
    "fastapi": ("api/usage.py", '@router.post("/webhooks/stripe")\nasync def stripe(body: Event):\n    await work()\n'),
    "gin": ("api/usage.go", "package api\nfunc StripeWebhook(c *gin.Context) {\n\twork()\n}\n"),
}


def cases(*groups: dict[str, tuple[str, str]]) -> list[object]:
    return [pytest.param(*one, id=name) for group in groups for name, one in group.items()]


@pytest.mark.parametrize(("path", "text"), cases(TYPESCRIPT, PYTHON, GO))
def test_what_answers_a_request_is_known(path: str, text: str) -> None:
    assert Context.REQUEST is found_in(path, text)


@pytest.mark.parametrize(("path", "text"), cases(TYPESCRIPT_WORK, PYTHON_WORK, GO_WORK))
def test_what_takes_from_a_queue_is_known(path: str, text: str) -> None:
    assert Context.WORKER is found_in(path, text)


@pytest.mark.parametrize(("path", "text"), cases(SCHEDULES))
def test_what_runs_by_the_clock_is_known(path: str, text: str) -> None:
    assert Context.SCHEDULE is found_in(path, text)


@pytest.mark.parametrize(("path", "text"), cases(WEBHOOKS))
def test_what_a_provider_calls_is_known(path: str, text: str) -> None:
    assert Context.WEBHOOK is found_in(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/usage.ts", "export async function spend(user: string) { await work(); }"),
        ("app/usage.py", "def spend(user):\n    work()\n"),
        (
            "billing/usage.go",
            "package billing\nfunc Spend(ctx context.Context, user string) error {\n\twork()\n\treturn nil\n}\n",
        ),
    ],
)
def test_an_ordinary_function_belongs_to_a_library(path: str, text: str) -> None:
    assert Context.LIBRARY is found_in(path, text)


def test_a_file_that_mends_something_by_hand_is_a_script_where_it_runs_at_its_top() -> None:
    assert found_in("restore_balance.mjs", "await work();") is Context.SCRIPT
    assert found_in("fix-usage.ts", "async function main() { await work(); }\nmain();") is Context.SCRIPT
    assert found_in("verify-payment.ts", "export async function verify() { await work(); }") is Context.LIBRARY
    assert found_in("report.mjs", "await work();") is Context.LIBRARY


def test_the_client_folder_of_a_web_framework_is_a_browser() -> None:
    assert found_in("Shop.Web/ClientApp/plans.js", "function opened() { work(); }") is Context.BROWSER
    assert found_in("src/plans.js", 'angular.module("shop").run(function () { work(); });') is Context.BROWSER

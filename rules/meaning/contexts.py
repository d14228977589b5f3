"""In what situation a function runs. The same statement is right in one and wrong in another."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from rules.facts import (
    Assign,
    Call,
    Class,
    Expression,
    Facts,
    Function,
    Kind,
    Lambda,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    chain,
    dotted,
    enclosing,
    fold,
    within,
)
from rules.meaning.vocabulary import words


class Context(StrEnum):
    """Where a function is called from, as far as its file tells."""

    REQUEST = "request handler"
    WEBHOOK = "webhook"
    WORKER = "queue worker"
    SCHEDULE = "schedule"
    BROWSER = "browser"
    SCRIPT = "script"
    TEST = "test"
    LIBRARY = "library"


REDELIVERED = frozenset({Context.WEBHOOK, Context.WORKER, Context.SCHEDULE})
"""Contexts that run again by themselves after a failure."""
SERVED = REDELIVERED | {Context.REQUEST}
"""Contexts that something outside of the program starts: a client, a queue, a clock."""

HTTP = frozenset(
    "get post put patch delete all use route options head handle handlefunc mutation query api_route httpget "
    "httppost httpput httppatch httpdelete mapget mappost mapput mappatch mapdelete mapmethods".split()
)
MAPPINGS = frozenset("getmapping postmapping putmapping patchmapping deletemapping requestmapping".split())
ROUTERS = frozenset("app router api server r mux e g group blueprint bp fastify hono route routes http endpoints".split())
STANDARD_SERVE = re.compile(r"(?:deno\.land/std\b|@std/http\b).*\bserve$")
"""`serve` as Deno's standard library brings it, by its address."""
METHODS = frozenset("get post put patch delete".split())
NEXT_METHODS = frozenset("GET POST PUT PATCH DELETE".split())
REQUEST_TYPES = re.compile(
    r"http\.ResponseWriter|gin\.Context|echo\.Context|fiber\.Ctx|NextRequest|NextApiRequest|\bRequest\b|APIGatewayProxy|"
    r"FastifyRequest|HttpRequest|HttpServletRequest|ServerRequest|RoutingContext|ApplicationCall|@(?:Request|Query|Path)Param\b|"
    r"@RequestBody\b|@PathVariable\b|HttpContext|ServerCallContext"
)
WORK_TYPES = re.compile(
    r"\bJob\b|SQSEvent|SqsEvent|ConsumerMessage|kafka\.Message|ConsumeMessage|amqp\.Delivery|\bDelivery\b|"
    r"\bConsumerRecords?\b|\bKinesisEvent\b|\bAcknowledgment\b|\bJmsMessage\b|JobExecutionContext|ChunkContext|StepContribution|"
    r"ConsumeContext<|\b(Stream|Base)Consumer\b|lapin::Consumer|ConsumeResult<|ServiceBusReceivedMessage|ProcessMessageEventArgs|ProcessEventArgs|BasicDeliverEventArgs|"
    r"IMessageHandlerContext|PerformContext|BorrowedMessage|OwnedMessage|ConsumerGroupClaim|asynq\.Task|"
    r"workflow\.Context|(ServiceBus|Queue|EventHub|Kafka|RabbitMQ|CosmosDB|Blob)Trigger\b"
)
EXTRACTORS = re.compile(r"\b(Json|State|Extension|Query|Form|TypedHeader)<|\bweb::(Json|Data|Path|Query|Form)<|\bHeaderMap\b")
"""What axum and actix hand to those who answer."""
TIMED_TYPES = re.compile(r"TimerTrigger|TimerInfo|IJobExecutionContext")
HOSTED = frozenset("BackgroundService IHostedService IInvocable".split())
"""Classes that the host runs for as long as it lives, mostly on a timer."""
CONTROLLERS = re.compile(r"Controller(Base)?$|^Endpoint|\w+Base$|^Hub$|^PageModel$")
TASKS = frozenset(
    "task shared_task actor job processor process periodic_task message_pattern event_pattern defn kafka_listener sqs_listener "
    "rabbit_listener jms_listener stream_listener incoming pulsar_listener kafka_handler rabbit_handler topic queue "
    "automatic_retry disable_concurrent_execution".split()
)
TASK_MAKERS = frozenset("task schematask".split())
"""Trigger.dev: `task({ id, run: async (payload) => … })`."""
FETCHES = frozenset("fetchmessage readmessage pollfetches receivemessage receivemessages".split())
BROKERS = frozenset("reader consumer kafka subscriber queue sqs broker".split())
"""Whose messages are fetched in a loop; a socket's are read as well, and are no queue."""
SCHEDULES = frozenset("cron interval periodic_task scheduled scheduled_job crontab every".split())
WORKERS = frozenset(
    "worker process consume consumer basic_consume createfunction run subscribe eachmessage eachbatch on_message "
    "addworker registerworker defineworker".split()
)
WORK_NAMES = re.compile(
    r"^(process|handle|consume|on)_?(message|messages|job|jobs|delivery|record|records|batch|queue|event_message)s?$", re.I
)
TEST_PATH = re.compile(
    r"(^|/)(tests?|__tests__|locustfiles?|loadtests?|testdata|fixtures?|e2e|specs?|mocks?|__mocks__|examples?|samples?|"
    r"experiments?|demos?|docs|[\w-]+-(tests?|samples?|examples?)|test[-_]?(utils?|helpers?|support|kit)|testing)/|"
    r"(^|/)(test_[^/]*|[^/]*_test|[^/]*_spec|conftest|demos?|seeds?|seed_data)\.\w+$|\.(test|spec|stories|mock)\.\w+$|(^|/)tests?\.\w+$|"
    r"[a-z]Tests?\.\w+$|(^|/)([\w.-]+\.)?([A-Z]\w+)?Tests?/"
)
SCRIPT_PATH = re.compile(
    r"(^|/)(scripts?|bin|tools?|cmd/[^/]*(migrate|seed|backfill)[^/]*|seeds?|seeders?|factories|migrations?|db/migrate|alembic/versions|"
    r"\.(claude|codex|cursor|agents?|github|circleci|devcontainer|husky))/"
)
ONE_OFF = re.compile(
    r"(^|/)(restore|diagnose|fix|repair|debug|backfill|migrate|seed|cleanup|inspect|verify|check|manual|tmp|temp|apply|reset|"
    r"recover|correct|audit|simulate)[-_][\w.-]+\.\w+$"
)
"""How files are called that somebody runs once by hand, where what they do stands at their top."""
SCHEDULE_PATH = re.compile(r"(^|/)(crons?|schedules?|scheduled|jobs/clock)(/|\.|-|_)", re.I)
MAIN_CODE = re.compile(r"(?:^|/)src/(?:\w*[mM]ain)/(?:java|kotlin|scala|groovy)/.*/")
"""Below this the folders of Maven and Gradle are the names of packages: `com/acme/sample` is no sample."""
CLIENT_APP = re.compile(r"(^|/)(ClientApp[^/]*|client-app|wwwroot|webapp/static)/")
"""Folders that web frameworks keep for what runs in the browser."""
BROWSER_NAMES = frozenset("window document localStorage sessionStorage navigator".split())
STATE_LIBRARIES = frozenset("zustand pinia jotai recoil react-redux @reduxjs/toolkit mobx-react valtio".split())
OWN_HOOK = re.compile(r"use[A-Z]\w*$")
"""React runs no hook on the server."""
HOOKS = frozenset("usestate useeffect usememo usecallback useref usecontext usereducer".split())


def context_of(facts: Facts, scope: Scope) -> Context:
    """The context of the function around a scope. A function inside another has the outer one's, where its own is unknown."""
    path = MAIN_CODE.sub("/", facts.path)
    if TEST_PATH.search(path):
        return Context.TEST
    if is_browser(facts):
        return Context.BROWSER
    for outer in chain(scope):
        if outer.kind is Kind.FUNCTION and isinstance(outer.head, Function):
            found = own_context(facts, outer, outer.head)
            if found is not None:
                return webhook_or(found, facts, outer, outer.head)
    if SCRIPT_PATH.search(path) or (ONE_OFF.search(path) and runs_at_top(facts, scope)):
        return Context.SCRIPT
    if SCHEDULE_PATH.search(facts.path):
        return Context.SCHEDULE
    return Context.LIBRARY


def runs_at_top(facts: Facts, scope: Scope) -> bool:
    """Whether a scope is the top of a file, or in a function that the top calls or hands on: it runs when the file is run."""
    outer = [one for one in chain(scope) if one.kind is Kind.FUNCTION]
    name = outer[-1].head.name if outer and isinstance(outer[-1].head, Function) else ""
    return not name or any(call.name == name and enclosing(call.scope, Kind.FUNCTION) is None for call in facts.calls)


def own_request(facts: Facts, scope: Scope) -> bool:
    """Whether this very function, and not one around it, is what answers a request."""
    return isinstance(scope.head, Function) and own_context(facts, scope, scope.head) is Context.REQUEST


def webhook_or(found: Context, facts: Facts, scope: Scope, head: Function) -> Context:
    """A request handler that is a webhook: by its path, its name, its route, or because it checks a signature."""
    said = f"{facts.path} {head.name} {head.registered_as} {' '.join(decorator_strings(head))}".lower()
    signed = any(
        call.folded.endswith(("constructevent", "verifywebhook", "unwrap")) and within(call.scope, scope)
        for call in facts.calls
    )
    notified = re.search(r"(^|_)(ipn|notify)$|Notify$|webhook", head.name) is not None
    return Context.WEBHOOK if found is Context.REQUEST and ("webhook" in said or signed or notified) else found


def own_context(facts: Facts, scope: Scope, head: Function) -> Context | None:
    marks = [fold(mark).rsplit(".", 1)[-1] for mark in decorator_names(head)]
    if any(mark in {fold(name) for name in SCHEDULES} for mark in marks):
        return Context.SCHEDULE
    if any(mark in {fold(name) for name in TASKS} for mark in marks):
        return Context.WORKER
    if any(mark in HTTP | MAPPINGS or mark in ("apiview", "action", "route", "websocket") for mark in marks):
        return Context.REQUEST
    if passed := own_context_by_call(head):
        return passed
    return own_context_by_shape(facts, scope, head)


def own_context_by_call(head: Function) -> Context | None:
    """From the call that the function is handed to: `app.post("/x", f)`, `new Worker("q", f)`, `cron.schedule("…", f)`."""
    if not head.passed_to:
        return None
    *before, last = fold(head.passed_to).split(".")
    root = before[-1] if before else ""
    if root == "schedule" and last in ("call", "job"):
        return Context.SCHEDULE
    if last == "every" and (not before or "scheduler" in root or root == "clockwork"):
        return Context.SCHEDULE
    if (
        "cron" in fold(head.passed_to)
        or root == "recurringjob"
        or last in ("schedule", "setinterval", "addfunc", "schedulejob")
    ):
        return Context.SCHEDULE
    if last in HTTP and not before and head.registered_as.startswith("/"):
        return Context.REQUEST
    if last in HTTP and (root in ROUTERS or root.endswith(("router", "app", "routes", "procedure", "server", "()"))):
        return Context.REQUEST
    if last in ("action", "handler") and any(one.removesuffix("()") in METHODS and one.endswith("()") for one in before):
        return Context.REQUEST
    if fold(head.passed_to) in ("serve", "deno.serve", "bun.serve", "routing") or STANDARD_SERVE.search(head.passed_to):
        return Context.REQUEST
    if last in WORKERS and (last not in ("run", "process", "subscribe", "consume") or before):
        return Context.WORKER if last != "run" or "consumer" in root else None
    return None


def own_context_by_shape(facts: Facts, scope: Scope, head: Function) -> Context | None:
    """From name, parameters, class and file."""
    types = " ".join(parameter.type for parameter in head.parameters)
    names = [fold(parameter.name) for parameter in head.parameters]
    if facts.traits.extractors and EXTRACTORS.search(types):
        return Context.REQUEST
    if TIMED_TYPES.search(types):
        return Context.SCHEDULE
    if WORK_TYPES.search(types) or WORK_NAMES.match(head.name):
        return Context.WORKER
    if head.exported and head.name in NEXT_METHODS and re.search(r"(^|/)(route|\+server)\.\w+$", facts.path):
        return Context.SCHEDULE if SCHEDULE_PATH.search(facts.path) else Context.REQUEST
    if head.exported and re.search(r"(^|/)pages/api/", facts.path):
        return Context.REQUEST
    if REQUEST_TYPES.search(types) or names[:2] in (["req", "res"], ["request", "response"], ["request", "reply"], ["w", "r"]):
        return Context.REQUEST
    if facts.traits.request_first and (names[:1] == ["request"] or names[:2] == ["self", "request"]):
        return Context.REQUEST
    if (made := made_task(facts, scope)) is not None:
        return made
    if takes_messages(facts, scope) or of_work_file(facts, head, names):
        return Context.WORKER
    if worker_class(scope) and head.name in ("process", "perform", "handle", "run", "consume", "__invoke"):
        clocked = head.name == "perform" and SCHEDULE_PATH.search(facts.path)
        return Context.SCHEDULE if clocked else Context.WORKER
    if command_class(scope) and head.name in ("handle", "execute", "__invoke"):
        return Context.SCHEDULE if facts.traits.console_commands else None
    if (found := own_context_by_class(facts, scope, head)) is not None:
        return found
    if "use server" in facts.directives and head.exported:
        return Context.REQUEST
    return None


def own_context_by_class(facts: Facts, scope: Scope, head: Function) -> Context | None:
    """A public method of a controller, and whatever a hosted service does for itself.

    Where what a method answers is written, only one that answers a request is a request handler.
    """
    holder = next((outer.head for outer in chain(scope) if isinstance(outer.head, Class)), None)
    if holder is None:
        return None
    if HOSTED & set(holder.bases) and (not head.exported or head.name in ("Start", "Execute", "Invoke")):
        return Context.SCHEDULE
    if facts.traits.actions_by_result:
        controller = any(CONTROLLERS.search(base) for base in holder.bases) or "ApiController" in map(
            name_of, holder.decorators
        )
        answers = re.search(r"ActionResult|IResult\b", head.returns) is not None
        return Context.REQUEST if controller and head.exported and answers else None
    named = any(name.endswith("Controller") for name in (holder.name, *holder.bases))
    return Context.REQUEST if named else None


def made_task(facts: Facts, scope: Scope) -> Context | None:
    """The `run` of an object that a task is made of."""
    for call in facts.calls:
        if fold(call.method) in TASK_MAKERS and call.span.holds(scope.span):
            entries = [entry for one in call.arguments if isinstance(one.value, Object) for entry in one.value.entries]
            if any(entry.name == "run" and isinstance(entry.value, Lambda) and entry.value.scope is scope for entry in entries):
                return Context.SCHEDULE if "schedule" in call.folded else Context.WORKER
    return None


def takes_messages(facts: Facts, scope: Scope) -> bool:
    """A loop over `reader.FetchMessage(ctx)`, `consumer.ReadMessage(…)`, `sqs.receive_message(…)`."""
    return any(
        fold(call.method) in FETCHES
        and BROKERS & set(words(call.name.rpartition(".")[0]))
        and enclosing(call.scope, Kind.FUNCTION) is scope
        and enclosing(call.scope, Kind.LOOP, Kind.FUNCTION) is not scope
        for call in facts.calls
    )


def of_work_file(facts: Facts, head: Function, names: list[str]) -> bool:
    """Functions of a file of Temporal activities, and those that arq hands its `ctx`."""
    if head.exported and "@temporalio/activity" in facts.packages:
        return True
    return names[:1] == ["ctx"] and ("arq" in facts.packages or any(lists_work(one) for one in facts.assigns))


def lists_work(assign: Assign) -> bool:
    """`functions = […]` in arq's `class WorkerSettings`."""
    holder = assign.scope.head
    settings = isinstance(holder, Class) and holder.name == "WorkerSettings"
    return settings and isinstance(assign.value, Sequence) and name_of(assign.targets[0]) in ("functions", "cron_jobs")


def worker_class(scope: Scope) -> bool:
    holder = next((outer.head for outer in chain(scope) if isinstance(outer.head, Class)), None)
    said = " ".join((holder.name, *holder.bases, *map(name_of, holder.decorators))) if holder else ""
    return bool(re.search(r"Worker|Job\b|Processor|Consumer|Task\b|ShouldQueue|MessageHandler", said))


def command_class(scope: Scope) -> bool:
    """A console command of Laravel or Symfony: those of billing run on a schedule."""
    holder = next((outer.head for outer in chain(scope) if isinstance(outer.head, Class)), None)
    return holder is not None and "Command" in holder.bases


def decorator_names(head: Function) -> Iterator[str]:
    return map(name_of, head.decorators)


def name_of(decorator: Expression) -> str:
    return decorator.name if isinstance(decorator, Call) else dotted(decorator)


def decorator_strings(head: Function) -> Iterator[str]:
    for decorator in head.decorators:
        if isinstance(decorator, Call):
            for argument in decorator.arguments:
                yield str(getattr(argument.value, "value", ""))


@lru_cache(maxsize=8)
def is_browser(facts: Facts) -> bool:
    """`use client`, React hooks in a component file, code that reaches for `window` and its kind, or an app for Android."""
    if any(package.startswith(("android.", "androidx.")) for package in facts.packages):
        return True
    if not facts.traits.in_browsers:
        return False
    if "use client" in facts.directives or CLIENT_APP.search(facts.path):
        return True
    if "use server" in facts.directives:
        return False
    if facts.packages & STATE_LIBRARIES or any(
        call.folded in HOOKS or call.folded.removeprefix("react.") in HOOKS for call in facts.calls
    ):
        return True
    if facts.renders and any(isinstance(call.callee, Name) and OWN_HOOK.match(call.callee.text) for call in facts.calls):
        return True
    return any(uses_browser(call) or call.folded == "angular.module" for call in facts.calls)


def uses_browser(call: Call) -> bool:
    root: Expression = call.callee
    while isinstance(root, Member):
        root = root.object
    return isinstance(root, Name) and root.text in BROWSER_NAMES

"""Where a value comes from, in the spellings of everyday code where a naive reading is wrong."""

import pytest

from rules.code import Code
from rules.meaning.origins import Kinds
from tests.rules.examples import code_of

PATHS = {"python": "usage.py", "typescript": "usage.ts", "go": "usage.go"}


def kinds(language: str, text: str) -> set[Kinds]:
    """The kinds of what flows into the first argument of the call `keep`."""
    code: Code = code_of(PATHS[language], text)
    assert code.facts.broken == ()
    (call,) = [one for one in code.facts.calls if one.method == "keep"]
    return {origin.kind for origin in code.origins(call.arguments[0].value, call.scope, call.span.start)}


RANDOM = {
    "python": "import uuid\ndef f():\n    key = str(uuid.uuid4())\n    keep(key)\n",
    "typescript": 'import { randomUUID } from "crypto";\nfunction f() { const key = `${randomUUID()}`; keep(key); }\n',
    "go": 'package p\n\nimport "github.com/google/uuid"\n\nfunc f() {\n\tkey := uuid.NewString()\n\tkeep(key)\n}\n',
}


@pytest.mark.parametrize("language", RANDOM)
def test_a_fresh_id_is_random_through_a_variable(language: str) -> None:
    assert Kinds.RANDOM in kinds(language, RANDOM[language])


def test_a_fresh_id_is_random_under_an_alias() -> None:
    assert Kinds.RANDOM in kinds("python", "from uuid import uuid4 as fresh\ndef f():\n    keep(str(fresh()))\n")
    assert Kinds.RANDOM in kinds("typescript", 'import { v4 as fresh } from "uuid";\nfunction f() { keep(fresh()); }\n')


CLOCK = {
    "python": "import time\ndef f(user):\n    keep(f'{user}-{int(time.time())}')\n",
    "typescript": "function f(user: string) { keep(`${user}-${Math.floor(Date.now() / 1000)}`); }\n",
    "go": 'package p\n\nimport (\n\t"fmt"\n\t"time"\n)\n\nfunc f(user string) {\n'
    '\tkeep(fmt.Sprintf("%s-%d", user, time.Now().Unix()))\n}\n',
}


@pytest.mark.parametrize("language", CLOCK)
def test_the_clock_is_seen_through_arithmetic_and_formatting(language: str) -> None:
    assert {Kinds.CLOCK, Kinds.PARAMETER} <= kinds(language, CLOCK[language])


STORED = {
    "python": "def f(rows):\n    for row in rows:\n        keep(row.created_at.isoformat())\n",
    "typescript": "function f(rows: Row[]) { for (const row of rows) { keep(row.createdAt.getTime()); } }\n",
    "go": "package p\n\nfunc f(rows []Row) {\n\tfor _, row := range rows {\n\t\tkeep(row.CreatedAt.Unix())\n\t}\n}\n",
}


@pytest.mark.parametrize("language", STORED)
def test_a_stored_time_is_not_the_clock(language: str) -> None:
    assert kinds(language, STORED[language]) == {Kinds.STORED}


OWN_FUNCTION = {
    "python": "import uuid\ndef made():\n    return str(uuid.uuid4())\ndef f():\n    keep(made())\n",
    "typescript": 'import { randomUUID } from "crypto";\nconst made = () => randomUUID();\nfunction f() { keep(made()); }\n',
    "go": 'package p\n\nimport "github.com/google/uuid"\n\nfunc made() string {\n\treturn uuid.NewString()\n}\n\n'
    "func f() {\n\tkeep(made())\n}\n",
}


@pytest.mark.parametrize("language", OWN_FUNCTION)
def test_what_a_function_of_the_file_returns_is_followed(language: str) -> None:
    assert Kinds.RANDOM in kinds(language, OWN_FUNCTION[language])


def test_a_shorthand_destructuring_of_the_body_is_the_callers_word() -> None:
    text = "export function f(req: Request, res: Response) { const { quantity } = req.body; keep(quantity); }\n"

    assert kinds("typescript", text) == {Kinds.REQUEST}


def test_a_cast_and_optional_chaining_keep_the_origin() -> None:
    text = "export function f(req: Request) { keep((req?.body as any)?.quantity!); }\n"

    assert kinds("typescript", text) == {Kinds.REQUEST}


def test_the_latest_assignment_before_the_use_counts() -> None:
    assert kinds("python", "import time\ndef f(run_id):\n    key = time.time()\n    key = run_id\n    keep(key)\n") == {
        Kinds.PARAMETER
    }


def test_a_default_leaves_both_sources_open() -> None:
    text = 'import { randomUUID } from "crypto";\nfunction f(key?: string) { keep(key ?? randomUUID()); }\n'

    assert kinds("typescript", text) == {Kinds.PARAMETER, Kinds.RANDOM}


def test_an_entry_of_an_object_above_is_followed_by_its_name() -> None:
    text = "function f(runId: string) { const event = { id: runId, at: Date.now() }; keep(event.id); }\n"

    assert kinds("typescript", text) == {Kinds.PARAMETER}

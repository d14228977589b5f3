"""The unchanged files that a review reads are those that the changed ones need."""

import pytest

from bot.context import SCHEMA_FILES, context_paths


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("src/a.ts", 'import { b } from "./usage/b";', "src/usage/b.ts"),
        ("src/a.ts", 'import { b } from "../lib/b.js";', "lib/b.ts"),
        ("src/app/a.ts", 'import { b } from "@/lib/usage";', "src/lib/usage/index.ts"),
        ("src/a.js", 'const b = require("./b");', "src/b.js"),
        ("app/a.py", "from app.billing import record\n", "app/billing.py"),
        ("app/api/a.py", "from ..billing import record\n", "app/billing.py"),
        ("app/a.py", "from app import billing\n", "app/billing.py"),
        ("pkg/meter/a.go", "package meter\n", "pkg/meter/b.go"),
    ],
)
def test_an_import_is_followed(path: str, text: str, wanted: str) -> None:
    there = [path, wanted, "other/c.ts", "other/c.py"]

    assert context_paths(there, {path: text}) == [wanted]


def test_the_schema_is_read_and_the_changed_files_are_not_read_twice() -> None:
    there = ["a.ts", "prisma/schema.prisma", "db/migrations/2.sql", "db/migrations/1.sql", "docs/x.sql"]

    assert set(context_paths(there, {"a.ts": "", "db/migrations/2.sql": ""})) == {
        "prisma/schema.prisma",
        "db/migrations/1.sql",
    }


def test_it_is_bounded() -> None:
    there = [f"db/migrations/{number:05}.sql" for number in range(5000)]

    chosen = context_paths(there, {"a.ts": ""})

    assert len(chosen) == SCHEMA_FILES
    assert "db/migrations/04999.sql" in chosen


def test_rails_constants_are_found_where_rails_looks_for_them() -> None:
    there = [
        "app/services/wallets/balance/increase_service.rb",
        "app/services/wallets/settle_service.rb",
        "app/models/wallet.rb",
        "app/models/unrelated.rb",
    ]
    text = (
        "module Wallets\n  class Apply\n    def call\n      SettleService.call\n      Wallets::Balance::IncreaseService.call\n"
    )
    changed = {"app/services/wallets/apply.rb": text + "      wallet.update!(used: 1)\n    end\n  end\nend\n"}

    chosen = context_paths([*there, *changed], changed)

    assert set(there[:3]) <= set(chosen)


def test_php_classes_are_found_by_their_namespace() -> None:
    there = ["app/Services/Billing/Meter.php", "app/Models/Usage.php", "vendor/acme/Thing.php"]
    text = "<?php\nnamespace App\\Services\\Billing;\nuse App\\Models\\Usage;\nMeter::record(Usage::first());\n"
    changed = {"app/Services/Billing/Report.php": text}

    assert {"app/Services/Billing/Meter.php", "app/Models/Usage.php"} <= set(context_paths([*there, *changed], changed))


def test_the_whole_schema_comes_before_models_that_lie_near() -> None:
    models = [f"app/models/model_{number}.rb" for number in range(SCHEMA_FILES + 1)]

    chosen = context_paths(["db/schema.rb", *models], {"app/models/changed.rb": ""})

    assert chosen[0] == "db/schema.rb"


def test_the_imports_of_an_index_come_last() -> None:
    models = [f"app/models/m{number}.py" for number in range(60)]
    index = "".join(f"from .m{number} import M{number}\n" for number in range(60))
    changed = {"app/models/__init__.py": index, "app/models/meter.py": "from app.kit.values import Value\n"}

    assert context_paths([*models, *changed, "app/kit/values.py"], changed)[0] == "app/kit/values.py"

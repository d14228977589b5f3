"""Statements that never run, in every language that can say so."""

import pytest

from rules.facts import Facts
from rules.languages import front_end
from rules.meaning.unreached import never_runs

RETURNED = "try {\n  return 1;\n} catch (%s) {\n  live1();\n} finally { live2(); }\nlive3();\n"
CODE = {
    "a.ts": "function a(x) {\n"
    + RETURNED % "e"
    + "if (x) {\n  return 2;\n}\nlive4();\nswitch (x) {\n  case 1:\n    return 1;\n    dead1();\n  case 2:\n    live5();\n}\n"
    + "return inner();\nfunction inner() { live6(); }\ntry { dead2(); } catch (e) { dead3(); }\n}\n",
    "a.py": "def a(x):\n  try:\n    return 1\n  except E:\n    live1()\n  finally:\n    live2()\n  while x:\n    return 2\n"
    "  live3()\n  raise X()\n  dead1()\n",
    "A.java": "class A { int a(int x) {\n"
    + RETURNED % "E e"
    + "lock.run(() -> {\n  return 1;\n});\nlive4();\nthrow new E();\ndead1();\n} }\n",
    "A.cs": "class A { int a(int x) {\n"
    + RETURNED % "E e"
    + "var z = x ??\n  throw new E();\nlive4();\n#if DEBUG\nreturn 1;\n#endif\nlive5();\nthrow new E();\ndead1();\n} }\n",
    "a.go": "package a\nfunc a(x int) int {\nif x == 1 {\n  return 1\n}\nlive1()\nfunc() {\n  return\n}()\nlive2()\nreturn 5\n"
    "dead1()\n}\n",
    "a.rb": "def a(x)\n  return 1 if x\n  live1()\n  begin\n    return 2\n  rescue E => e\n    live2()\n  end\n"
    "  x or\n    return 5\n"
    "  live3()\n  raise E\n  dead1()\nend\n",
    "a.php": "<?php\nfunction a($x) {\n" + RETURNED % "E $e" + "if ($x)\n  return 1;\nlive4();\nthrow new E();\ndead1();\n}\n",
    "a.kt": "fun a(x: Int?): Int {\n  val y = x ?:\n    return 1\n  live1()\n  run {\n    return@run\n  }\n  live2()\n"
    "  return 4\n  dead1()\n}\n",
    "a.rs": "fn a(x: Option<i32>) -> i32 {\n  let Some(y) = x else {\n    return 1;\n  };\n  live1();\n"
    '  #[cfg(feature = "x")]\n  return 5;\n  live2();\n  return 4;\n  dead1();\n}\n',
}


def dead(facts: Facts) -> set[str]:
    named = [call for call in facts.calls if call.method.startswith(("live", "dead"))]
    return {call.method for call in named if never_runs(facts, call.scope, call.span)}


def facts_of(path: str, text: str) -> Facts:
    lower = front_end(path)
    assert lower is not None
    return lower(path, text.encode())


@pytest.mark.parametrize("path", CODE)
def test_what_stands_behind_the_end_of_its_block_never_runs(path: str) -> None:
    facts = facts_of(path, CODE[path])

    assert dead(facts) == {call.method for call in facts.calls if call.method.startswith("dead")}


@pytest.mark.parametrize(
    "test",
    ['process.env.NODE_ENV !== "production"', 'config.nodeEnv === "development"', "!isProduction() && request", "isDev"],
)
def test_what_only_development_does_bills_nobody(test: str) -> None:
    assert dead(facts_of("a.ts", f"function a() {{ if ({test}) {{ dead1(); }} else {{ live1(); }} }}")) == {"dead1"}


@pytest.mark.parametrize("test", ['plan === "production"', "process.env.NODE_ENV === region", "isProduction() || request"])
def test_what_asks_for_something_else_may_run(test: str) -> None:
    assert dead(facts_of("a.ts", f"function a() {{ if ({test}) {{ live1(); }} else {{ live2(); }} }} dead;")) == set()

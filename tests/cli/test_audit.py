"""`meteraudit audit` over files, folders and bundles."""

import os
from pathlib import Path

import pytest

from bot import rest_of_root
from bot.audit import audit_change
from bot.bundle import write_bundle
from tests.cli.conftest import Meteraudit
from tests.cli.local_repositories import PLAIN, UNKEYED, put


def audit(meteraudit: Meteraudit, *words: object, folder: Path | None = None, given: bytes = b""):
    return meteraudit("audit", "--format", "json", *words, folder=folder, given=given)


def paths(ran) -> list[str]:
    return [one["path"] for one in ran.report["findings"]]


def test_a_folder_is_audited_in_full_without_tests_vendored_code_and_links(meteraudit: Meteraudit, tmp_path: Path) -> None:
    left = ("tests/test_usage.py", "node_modules/x/y.js", "vendor/x.py", ".git/hooks/x.py", "a.gen.py")
    put(tmp_path, {"usage.py": UNKEYED, "src/deep/meter.py": UNKEYED, "good.py": PLAIN} | dict.fromkeys(left, UNKEYED))
    (tmp_path / "link.py").symlink_to("usage.py")
    (tmp_path / "loop").symlink_to(".")

    ran = audit(meteraudit, folder=tmp_path)

    assert (ran.code, paths(ran)) == (1, ["src/deep/meter.py", "usage.py"])
    assert {one["state"] for one in ran.report["findings"]} == {"new"}
    assert ran.report["mode"] == "audit"


def test_a_file_that_is_named_is_audited_even_if_it_is_vendored(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"vendor/usage.py": UNKEYED})

    assert paths(audit(meteraudit, tmp_path / "vendor/usage.py", "--root", tmp_path)) == ["vendor/usage.py"]


def test_paths_are_told_from_the_root_and_in_full_outside_of_it(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"project/src/usage.py": UNKEYED, "elsewhere/usage.py": UNKEYED})

    words = ("../elsewhere/usage.py", "src/usage.py", "./src/usage.py", "--root", ".")
    ran = audit(meteraudit, *words, folder=tmp_path / "project")

    assert paths(ran) == [f"{tmp_path}/elsewhere/usage.py", "src/usage.py"]


def test_the_configuration_under_the_root_counts(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "usage.py": UNKEYED,
            "old/usage.py": UNKEYED,
            ".meteraudit.yml": "version: 1\nmode: advisory\npaths: {exclude: [old/]}\n",
            ".meteraudit/x.py": PLAIN,
        },
    )

    ran = audit(meteraudit, tmp_path, "--root", tmp_path, folder=Path("/"))

    assert (ran.code, paths(ran), ran.report["gate"]["conclusion"]) == (0, ["usage.py"], "neutral")


def test_a_broken_configuration_blocks_and_is_told(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": PLAIN, ".meteraudit.yml": "version: 2\n"})

    ran = audit(meteraudit, folder=tmp_path)

    assert (ran.code, ran.report["gate"]["conclusion"]) == (1, "action_required")
    assert ran.err.startswith(".meteraudit.yml:1:10: ")


def test_a_bundle_is_read_from_standard_input(meteraudit: Meteraudit) -> None:
    bundle = write_bundle({"vendor/usage.py": UNKEYED, "good.py": PLAIN})

    ran = audit(meteraudit, "-", given=bundle.encode())

    assert (ran.code, paths(ran)) == (1, ["vendor/usage.py"])


@pytest.mark.parametrize(
    ("given", "said"),
    [(b"x = 1\n", "Standard input cannot be audited: the bundle has no heading"), (b"--- a ---\n\xff", "is not UTF-8 text")],
)
def test_standard_input_that_is_no_bundle_is_refused(meteraudit: Meteraudit, given: bytes, said: str) -> None:
    ran = audit(meteraudit, "-", given=given)

    assert (ran.code, said in ran.err, ran.err.count("\n")) == (2, True, 1)


def test_what_cannot_be_read_is_named(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"latin.py": b"\xf6", "huge.py": "x = 1\n" * 100_000, "binary.py": b"\0"})
    os.mkfifo(tmp_path / "pipe.py")

    ran = audit(meteraudit, folder=tmp_path)

    assert ran.left_out == {
        "latin.py": "not UTF-8 text at line 1",
        "huge.py": "larger than 512 kB",
        "binary.py": "binary",
        "pipe.py": "not a regular file",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gone.py",), "gone.py is not there: name files or folders of this machine"),
        (("--root", "gone"), "gone is not a folder: name the root of the project with --root."),
        (("-", "x.py"), "- reads the whole audit from standard input"),
    ],
)
def test_a_wrong_path_is_named(meteraudit: Meteraudit, words: tuple[str, ...], said: str) -> None:
    ran = audit(meteraudit, *words)

    assert (ran.code, ran.out, said in ran.err) == (2, "", True)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_folder_that_cannot_be_listed_stops_the_audit(meteraudit: Meteraudit, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)

    ran = audit(meteraudit, folder=tmp_path)

    assert (ran.code, "closed cannot be read (Permission denied)" in ran.err) == (2, True)


COUNTING = """
export async function deductCredits(team, amount) {
  const row = await prisma.team.findUnique({ where: { id: team } });
  await prisma.team.update({ where: { id: team }, data: { credits: row.credits - amount } });
}

export async function grantCredits(team, amount) {
  await prisma.team.update({ where: { id: team }, data: { credits: { increment: amount } } });
}
"""
CALLING = """
import { %s } from "./credits";

app.post("/credits", async (req, res) => {
  await %s(req.body.team, 1);
  res.json({ ok: true });
});
"""


@pytest.mark.parametrize(
    ("others", "sure"),
    [
        ({}, "possible"),
        ({"use.js": CALLING % ("deductCredits", "deductCredits")}, "certain"),
        ({"pages/use.vue": '<button @click="deductCredits(team, 1)">'}, "certain"),
        ({"use.test.js": CALLING % ("deductCredits", "deductCredits"), "NOTES.md": "deductCredits"}, "possible"),
    ],
)
def test_the_rest_of_the_root_is_asked_who_calls_what_a_named_file_defines(
    meteraudit: Meteraudit, tmp_path: Path, others: dict[str, str], sure: str
) -> None:
    put(tmp_path, {"credits.js": COUNTING, "routes.js": CALLING % ("grantCredits", "grantCredits")} | others)

    ran = audit(meteraudit, tmp_path / "credits.js", "--root", tmp_path)

    assert [sure] == [one["confidence"] for one in ran.report["findings"] if one["rule"] == "MTR-308"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("use.js", b"// caf\xe9\n" + (CALLING % ("deductCredits", "deductCredits")).encode()),
        ("use.vue", b'<p>caf\xe9</p> <button @click="deductCredits(team, 1)">'),
        ("bundle.js", b"// -\n" * 150_000 + (CALLING % ("deductCredits", "deductCredits")).encode()),
        ("use.js", (CALLING % ("deductCredits", "deductCredits")).encode("utf-16")),
    ],
    ids=["latin-1", "latin-1-unread", "large", "utf-16"],
)
def test_a_caller_that_is_not_plain_text_is_one(meteraudit: Meteraudit, tmp_path: Path, path: str, content: bytes) -> None:
    put(tmp_path, {"credits.js": COUNTING, "routes.js": CALLING % ("grantCredits", "grantCredits"), path: content})

    assert sure_of_counting(meteraudit, tmp_path) == ["certain"]


@pytest.mark.parametrize("path", ["logo.png", "model", "font.ttf"])
def test_what_is_no_text_calls_nothing(meteraudit: Meteraudit, tmp_path: Path, path: str) -> None:
    put(tmp_path, {"credits.js": COUNTING, "routes.js": CALLING % ("grantCredits", "grantCredits"), path: b"\0deductCredits"})

    assert sure_of_counting(meteraudit, tmp_path) == ["possible"]


@pytest.mark.parametrize(("name", "most"), [("SEARCHED", 1), ("SEARCHED_BYTES", 100)])
def test_in_a_root_that_is_too_large_nothing_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    put(tmp_path, {"credits.js": COUNTING, "routes.js": CALLING % ("grantCredits", "grantCredits")})

    def sought() -> set[str]:
        return {*audit_change([tmp_path / "credits.js"], tmp_path, lambda path: None).change.sought}

    assert sought() == {"credits", "deductCredits", "grantCredits"}
    monkeypatch.setattr(rest_of_root, name, most)
    assert sought() == set()


def test_a_file_that_nobody_names_is_not_taken_for_sought(tmp_path: Path) -> None:
    put(tmp_path, {"team-credits.js": COUNTING, "routes.js": CALLING % ("grantCredits", "grantCredits")})

    sought = audit_change([tmp_path / "team-credits.js"], tmp_path, lambda path: None).change.sought

    assert sought == {"deductCredits", "grantCredits"}


@pytest.mark.parametrize(
    ("index", "sure"), [('export * from "./team-credits";\n', "certain"), ("export const version = 1;\n", "possible")]
)
def test_what_the_index_of_a_package_hands_out_by_its_file_may_be_called(
    meteraudit: Meteraudit, tmp_path: Path, index: str, sure: str
) -> None:
    routes = (CALLING % ("grantCredits", "grantCredits")).replace("./credits", "../packages/kit/src/team-credits")
    put(tmp_path, {"packages/kit/src/team-credits.ts": COUNTING, "app/routes.js": routes, "packages/kit/src/index.ts": index})

    assert sure_of_counting(meteraudit, tmp_path, "packages/kit/src/team-credits.ts") == [sure]


def sure_of_counting(meteraudit: Meteraudit, root: Path, path: str = "credits.js") -> list[str]:
    ran = audit(meteraudit, root / path, "--root", root)
    return [one["confidence"] for one in ran.report["findings"] if one["rule"] == "MTR-308"]


def test_a_folder_of_a_larger_repository_says_nothing_of_who_calls(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"app/credits.js": COUNTING, "app/routes.js": CALLING % ("grantCredits", "grantCredits")})
    (tmp_path / ".git").mkdir()

    ran = audit(meteraudit, tmp_path / "app/credits.js", "--root", tmp_path / "app")

    assert ["certain"] == [one["confidence"] for one in ran.report["findings"] if one["rule"] == "MTR-308"]

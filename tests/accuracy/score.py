#!/usr/bin/env python3
"""Scores an analyser against labelled sites and replayed bug fixes of public code.

    score.py labels --mirrors DIR [--data labels.jsonl] [--only TEXT] [--json] -- meteraudit
    score.py replay --mirrors DIR [--data replay.jsonl] [--only TEXT] [--json] -- meteraudit

DIR holds one bare git repository per project, as OWNER+NAME/repo, OWNER/NAME.git or OWNER/NAME. The command after -- is the
program; it is called as `… audit --root DIR --format json FILE…` and `… review --repo DIR --base REV --head REV --format
json`, and answers with the JSON of report-contract.md. Exit 0 or 1 is an answer; anything else counts as not run.

Two figures everywhere. `found`: a finding of the label's class has its first line at the label, plus or minus NEAR lines.
`said`: so has one that a person would be shown (in a review `shown` is "comment"; in an audit confidence is not possible).
`said` is the one that counts. A finding is credited for its first two classes. Classes that reviewers use for one another
at the same site count as the same (SAME); `exact` is without that. What did not run is in no rate.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
SAME = [
    {"E1", "E3"},
    {"E2", "E3"},
    {"E3", "O1"},
    {"D1", "D2", "E5"},
    {"E10", "L9"},
    {"E15", "A1"},
    {"E15", "A3"},
    {"L1", "D4"},
    {"L1", "A6"},
    {"D4", "A13"},
    {"A2", "A11"},
    {"A4", "E16"},
    {"D6", "D1"},
    {"E6", "D6"},
    {"L2", "E12"},
    {"E4", "D8"},
    {"D7", "E8"},
]
NEAR = 5  # lines: reviewers and rules anchor a multi-line statement differently


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["labels", "replay"])
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", default="", help="only entries whose repo or id contains this")
    parser.add_argument("--json", action="store_true", help="print every verdict, one JSON object a line, before the sums")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one call of the program")
    parser.add_argument("program", nargs="+")
    args = parser.parse_args()
    data = args.data or HERE / f"{args.what}.jsonl"
    entries = [json.loads(line) for line in data.read_text().splitlines()]
    entries = [e for e in entries if args.only in e["repo"] or args.only in e.get("id", "")]
    have = [e for e in entries if mirror(args.mirrors, e["repo"])]
    verdicts = list((labels if args.what == "labels" else replay)(have, args))
    if args.json:
        for verdict in verdicts:
            print(json.dumps(verdict))
    sums = {
        "repositories": f"{len({e['repo'] for e in have})} of {len({e['repo'] for e in entries})}",
        "entries": f"{len(have)} of {len(entries)}",
    }
    print(json.dumps({**sums, **summed(verdicts)}, indent=1))
    return 0


def mirror(mirrors: Path, repo: str) -> Path | None:
    for place in (mirrors / repo.replace("/", "+") / "repo", mirrors / f"{repo}.git", mirrors / repo):
        if place.is_dir():
            return place
    return None


def labels(entries, args):
    """One audit per repository and commit, over the labelled files, with the whole checkout as context."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry["repo"], entry["commit"]].append(entry)
    for (repo, commit), group in groups.items():
        tree = Path(tempfile.mkdtemp(prefix="checkout-"))
        try:
            checkout(mirror(args.mirrors, repo), commit, tree)
            there = {e["path"] for e in group if (tree / e["path"]).is_file()}
            words = ["audit", "--root", str(tree), "--format", "json", *[str(tree / p) for p in sorted(there)]]
            report, seconds = run(args, words) if there else (None, None)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        credited = set()
        for entry in group:
            ran = report is not None and entry["path"] in there
            verdict = {
                "kind": entry["label"],
                "repo": repo,
                "path": entry["path"],
                "line": entry["line"],
                "class": entry["class"],
                "confidence": entry.get("confidence"),
                "ran": ran,
                "seconds": seconds,
            }
            seconds = None
            if ran and entry["label"] == "irrelevant":
                here = [f for f in report["findings"] if same_path(f["path"], entry["path"])]
                verdict |= {"found": bool(here), "said": any(audible(f) for f in here), "rules": [f["rule"] for f in here]}
            elif ran:
                here = near(report, entry["path"], entry["line"], entry["end_line"], entry.get("line_tolerance", 0))
                verdict |= judged(here, entry["class"], audible)
                credited |= {id(f) for f in here if matches(f, entry["class"])}
            yield verdict
        for finding in (report or {"findings": []})["findings"]:
            if id(finding) not in credited:
                yield {
                    "kind": "unlabelled",
                    "repo": repo,
                    "path": finding["path"],
                    "line": finding["line"],
                    "rule": finding["rule"],
                    "confidence": finding["confidence"],
                    "ran": True,
                    "found": True,
                    "said": audible(finding),
                }


def replay(entries, args):
    """The change that brought the bug should be commented on; the change that fixed it should not."""
    for case in entries:
        where = mirror(args.mirrors, case["repo"])
        if not case.get("intro_line_in_diff"):
            continue
        core = case["visibility"] != "none" and case["rule_generality"] == "general"
        report, seconds = review(args, where, case["intro_commit"])
        verdict = {
            "kind": "core" if core else "other" if case["visibility"] != "none" else "control",
            "id": case["id"],
            "repo": case["repo"],
            "class": case["class"],
            "ran": report is not None,
            "seconds": seconds,
        }
        if report is not None:
            here = near(report, case["intro_path"], case["intro_line"], case["intro_line"])
            verdict |= judged(here, case["class"], commented)
            verdict["comments"] = sum(map(commented, report["findings"]))
        if case.get("postfix_line") and verdict.get("found"):
            fixed, _ = review(args, where, case["fix_commit"])
            if fixed is not None:
                after = near(fixed, case.get("postfix_path") or case["path"], case["postfix_line"], case["postfix_line"])
                verdict["still"] = any(matches(f, case["class"]) for f in after)
        yield verdict


def checkout(repo, commit, tree):
    """Writes every blob that the repository has; a mirror may lack its largest, on which `git archive` would stop."""
    listing = subprocess.run(["git", "-C", repo, "ls-tree", "-r", "-z", commit], capture_output=True, check=False).stdout
    files = [
        (line.split(b"\t", 1)[1].decode(errors="surrogateescape"), line.split()[2])
        for line in listing.split(b"\0")
        if line.startswith(b"100")
    ]
    with subprocess.Popen(["git", "-C", repo, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        for path, blob in files:
            git.stdin.write(blob + b"\n")
            git.stdin.flush()
            head = git.stdout.readline().split()
            if head[1] != b"blob":
                continue
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(git.stdout.read(int(head[2])))
            git.stdout.read(1)


def review(args, where, commit):
    return run(args, ["review", "--repo", str(where), "--base", f"{commit}^", "--head", commit, "--format", "json"])


def run(args, words):
    start = time.monotonic()
    report = None
    try:
        done = subprocess.run([*args.program, *words], capture_output=True, timeout=args.timeout, check=False)
        report = json.loads(done.stdout) if done.returncode in (0, 1) else None
        if report is None:
            print(f"exit {done.returncode}: {' '.join(map(str, words))[:200]}: {done.stderr[-300:]!r}", file=sys.stderr)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        print(f"{type(error).__name__}: {' '.join(map(str, words))[:200]}", file=sys.stderr)
    return report, round(time.monotonic() - start, 3)


def near(report, path, line, end_line, tolerance=0):
    low, high = line - NEAR - tolerance, end_line + NEAR + tolerance
    return [f for f in report["findings"] if same_path(f["path"], path) and low <= (f["line"] or 0) <= high]


def judged(here, wanted, shown):
    mine = [f for f in here if matches(f, wanted)]
    return {
        "found": bool(mine),
        "said": any(map(shown, mine)),
        "exact": any(wanted in f["classes"][:2] for f in mine if shown(f)),
        "rules": [f["rule"] for f in here],
    }


def same_path(one, other):
    return one == other or one.endswith("/" + other)


def matches(finding, wanted):
    classes = set(finding["classes"][:2])
    return wanted in classes or any(wanted in group and classes & group for group in SAME)


def commented(finding):
    return finding.get("shown") == "comment"


def audible(finding):
    return finding["confidence"] != "possible"


def summed(verdicts):
    out = {}
    for kind in sorted({v["kind"] for v in verdicts}):
        mine = [v for v in verdicts if v["kind"] == kind]
        ran = [v for v in mine if v["ran"]]
        out[kind] = {"total": len(mine), "ran": len(ran), "found": count(ran, "found"), "said": count(ran, "said")}
        if kind != "unlabelled":
            out[kind]["rate"] = round(count(ran, "said") / max(1, len(ran)), 3)
        if kind == "positive":
            for tier in ("certain", "likely", "possible"):
                out[kind][tier] = share([v for v in ran if v["confidence"] == tier], "said")
        if kind in ("positive", "core", "other"):
            out[kind]["exact"] = count(ran, "exact")
            out[kind]["by_class"] = {
                c: share([v for v in ran if v["class"] == c], "said") for c in sorted({v["class"] for v in ran})
            }
        if any("comments" in v for v in ran):
            out[kind]["comments_per_change"] = round(sum(v["comments"] for v in ran) / len(ran), 2)
            out[kind]["still_flagged_after_fix"] = share([v for v in ran if "still" in v], "still")
    seconds = sorted(v["seconds"] for v in verdicts if v.get("seconds") is not None)
    if seconds:
        out["seconds"] = {"median": seconds[len(seconds) // 2], "max": seconds[-1]}
    return out


def count(verdicts, key):
    return sum(bool(v.get(key)) for v in verdicts)


def share(verdicts, key):
    return f"{count(verdicts, key)}/{len(verdicts)}"


if __name__ == "__main__":
    sys.exit(main())

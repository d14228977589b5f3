"""A strict stand-in for GitHub on 127.0.0.1, over real git repositories, for tests and the demo.

It refuses what GitHub refuses, and writes down in `violations` what a client should not do. It needs git on the path.

    with StandIn() as github:                                     # a server in a thread; github.url is the API's root
        app = github.register_app(public_pem, webhook_secret="…", app_id=7, permissions={…})
        repo = github.add_repository("acme/api", Path("api.git"))        # a bare repository, made if it is not there
        github.push(repo, "main", {"src/a.py": "a = 1\\n"})
        github.push(repo, "feature", {"src/a.py": "a = 2\\n", "old.py": None})   # None deletes; start= forces
        installation = github.install(app, [repo])
        pull = github.open_pull_request(repo, "feature", author="ada", draft=False, labels=["x"])
        delivery = github.deliver(receiver_url, "pull_request", "opened", pull=pull)      # delivery.status, .guid
        github.redeliver(delivery.guid)
        github.check_runs(repo); github.reviews(repo, pull.number); github.comments(repo, pull.number)
        assert github.violations == []

Setting the scene, all without sending a delivery: `suspend`, `uninstall`, `rename(repo, name)`, `close(pull, merged=)`,
`reopen`, `reply(comment, login, body)`, `comment_by(pull, login, path, line, body)`, `say(pull, login, body)`,
`resolve(comment, login)`, `delete_comment(comment)`, `head(pull)`, and plain fields: `repo.roles["ada"] = "write"`,
`app.more_keys`, `repo.archived`, `pull.locked`, `pull.draft`, `pull.labels`, `pull.base_ref`. A fork is
`open_pull_request(…, fork=other_repo)`, a deleted one `deleted_fork="login"` (`head.repo` is null). Heads are read from
the branches, so a push moves a pull request at once, also one made with git itself; `deliver(url, "pull_request",
"synchronize", pull=pull)` then carries the head announced last as `before`.

Deliveries (`payloads.BUILDERS`): ping, pull_request, check_run and check_suite (`check=`), merge_group and push (`repo=,
ref=, before=, after=`), issue_comment (`said=`, or `pull=, body=`), pull_request_review_comment and _thread (`comment=`),
installation and installation_repositories (`repositories=`), repository. `extra={…}` replaces keys of the body.
`deliver_async` is for callers whose own event loop serves the receiver. All are kept in `github.deliveries`.

Going wrong: append to `github.faults` a `Fault(path regex, method, times=1, skip=0, …)` that answers (`status`,
`headers`, `body`), waits (`delay`), cuts the connection (`drop="before"`, or `"after"` the request was applied) or first
calls `run` (for a push in the middle of reading), or a callable from `Incoming` to a Fault or None;
`secondary_limit(path)` is GitHub's throttling. `github.limits` holds the sizes at which answers are cut (`files`,
`patch_bytes`, `contents_bytes`, `tree_entries`, `hourly` …).

Pages for people: an App is registered by POSTing a manifest to `{site}/settings/apps/new` (or below `/organizations/ORG`),
confirming the form, and exchanging the code at `/app-manifests/CODE/conversions`; it is installed at
`{html_url}/installations/new`. What then is delivered by itself goes where `github.reach["https://public.host"] =
"http://127.0.0.1:8000"` leads. `StandIn(enterprise=True)` is a GitHub Enterprise Server, with its interface at /api/v3.

Reading back: `github.exchanges` has every request with its answer. `StandIn(clock)` takes the time from a function, for
tokens and stamps. A new endpoint is a handler and a line in `routes.py`.
"""

from bot.demo.standin.deliveries import Delivery
from bot.demo.standin.door import Exchange
from bot.demo.standin.faults import Fault, Incoming, secondary_limit
from bot.demo.standin.server import StandIn
from bot.demo.standin.stage import PERMISSIONS
from bot.demo.standin.state import (
    App,
    CheckRun,
    Comment,
    Installation,
    IssueComment,
    PullRequest,
    Repository,
    Review,
)

__all__ = [
    "PERMISSIONS",
    "App",
    "CheckRun",
    "Comment",
    "Delivery",
    "Exchange",
    "Fault",
    "Incoming",
    "Installation",
    "IssueComment",
    "PullRequest",
    "Repository",
    "Review",
    "StandIn",
    "secondary_limit",
]

"""The setting of a play at the stand-in: accounts, Apps, repositories, pushes, pull requests, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from bot.demo.standin import git, state
from bot.demo.standin.anchors import find
from bot.demo.standin.state import (
    App,
    CheckRun,
    Comment,
    Installation,
    IssueComment,
    Limits,
    PullRequest,
    Repository,
    Review,
    World,
)

PERMISSIONS = {
    "metadata": "read",
    "contents": "read",
    "pull_requests": "write",
    "checks": "write",
    "issues": "read",
    "merge_queues": "read",
}
EVENTS = (
    "pull_request",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "issue_comment",
    "merge_group",
    "push",
    "repository",
)


class Stage:
    """Sets up a world and reads it back, with no server; `StandIn` adds one."""

    def __init__(self, clock: Callable[[], datetime] | None = None, *, enterprise: bool = False) -> None:
        self.world = World(clock=clock, enterprise=enterprise) if clock else World(enterprise=enterprise)

    @property
    def violations(self) -> list[str]:
        """What the client should not have done; tests assert that it is empty."""
        return self.world.violations

    @property
    def reach(self) -> dict[str, str]:
        """Public address -> address on this machine, for deliveries that the stand-in sends of itself."""
        return self.world.reach

    @property
    def apps(self) -> list[App]:
        """The registered Apps, oldest first."""
        return list(self.world.apps.values())

    @property
    def limits(self) -> Limits:
        """Sizes at which answers are cut or refused."""
        return self.world.limits

    def now(self) -> datetime:
        """The time at the stand-in."""
        return self.world.clock().astimezone(UTC)

    def register_app(
        self,
        public_key: str,
        *,
        webhook_secret: str,
        app_id: int = 1,
        client_id: str = "Iv23standin",
        slug: str = "meteraudit",
        permissions: Mapping[str, str] | None = None,
        events: Iterable[str] = EVENTS,
        owner: str = "meteraudit-maker",
    ) -> App:
        """Registers an App by its public key in PEM."""
        with self.world.lock:
            app = App(
                id=app_id,
                client_id=client_id,
                slug=slug,
                public_key=public_key,
                webhook_secret=webhook_secret,
                permissions=dict(permissions or PERMISSIONS),
                events=list(events),
                owner=self.world.person(owner),
                bot=self.world.person(f"{slug}[bot]", "Bot"),
                created_at=self.now(),
                hook_id=next(self.world.ids),
                host=urlsplit(self.world.site).hostname if self.world.enterprise else None,
            )
            self.world.apps[app.id] = app
            return app

    def add_repository(
        self, full_name: str, path: Path, *, default_branch: str = "main", private: bool = True, organization: bool = True
    ) -> Repository:
        """Serves a bare repository under owner/name; the folder is made where it does not exist."""
        owner, _, name = full_name.partition("/")
        if not (path / "HEAD").exists():
            git.create(path, default_branch)
        with self.world.lock:
            kind = "Organization" if organization else "User"
            person = self.world.person(owner, kind)
            repo = Repository(next(self.world.ids), person, name, path, default_branch, private, self.now())
            self.world.repositories[repo.id] = repo
            return repo

    def install(
        self, app: App, repositories: Iterable[Repository], *, permissions: Mapping[str, str] | None = None
    ) -> Installation:
        """Installs an App on the account of the repositories; by default everything it asks for is granted."""
        chosen = list(repositories)
        with self.world.lock:
            granted = dict(permissions or app.permissions)
            ids = {repo.id for repo in chosen}
            one = Installation(next(self.world.ids), app, chosen[0].owner, ids, granted, self.now())
            self.world.installations[one.id] = one
            return one

    def suspend(self, installation: Installation, suspended: bool = True) -> None:
        """Suspends an installation, or takes that back."""
        installation.suspended_at = self.now() if suspended else None

    def uninstall(self, installation: Installation) -> None:
        """Removes an installation; its tokens die with it."""
        with self.world.lock:
            self.world.installations.pop(installation.id, None)

    def rename(self, repo: Repository, name: str) -> None:
        """Renames a repository; the old name redirects."""
        with self.world.lock:
            repo.former_names.add(repo.full_name.lower())
            repo.name = name

    def push(
        self,
        repo: Repository,
        branch: str,
        files: Mapping[str, str | bytes | None],
        *,
        message: str = "Change",
        start: str | None = None,
    ) -> str:
        """Commits files (None deletes one) to a branch and answers the commit.

        A branch that does not exist yet starts at `start` (a branch or hash), by default at the default branch; `start`
        for one that exists is a force push. Pull requests from the branch follow at once; no delivery is sent.
        """
        with self.world.lock:
            parent = git.resolve(repo.path, start) if start else git.resolve(repo.path, branch)
            parent = parent or git.resolve(repo.path, repo.default_branch)
            return git.write(repo.path, branch, files, message, parent)

    def open_pull_request(
        self,
        repo: Repository,
        head: str,
        base: str | None = None,
        *,
        title: str = "A change",
        body: str | None = None,
        author: str = "ada",
        draft: bool = False,
        labels: Iterable[str] = (),
        fork: Repository | None = None,
        deleted_fork: str | None = None,
    ) -> PullRequest:
        """Opens a pull request from a branch, of a `fork` if given; `deleted_fork` is the owner of one that is gone.

        For a deleted fork the branch must be in `repo` itself; `head.repo` is null then. No delivery is sent.
        """
        source = fork or repo
        sha = git.resolve(source.path, head)
        if sha is None:
            raise ValueError(f"{source.full_name} has no branch {head}")
        with self.world.lock:
            number = max([one.number for one in self.world.pulls_of(repo)], default=0) + 1
            owner = self.world.person(deleted_fork) if deleted_fork else source.owner
            pull = PullRequest(
                id=next(self.world.ids),
                number=number,
                repo=repo,
                title=title,
                body=body,
                author=self.world.person(author),
                head_ref=head,
                head_owner=owner,
                base_ref=base or repo.default_branch,
                created_at=self.now(),
                head_sha="",
                announced=sha,
                fork=fork,
                fork_deleted=deleted_fork is not None,
                draft=draft,
                labels=list(labels),
            )
            self.world.pulls[repo.id, number] = pull
            state.head(pull)
            return pull

    def close(self, pull: PullRequest, *, merged: bool = False) -> None:
        """Closes a pull request; its branch is not touched."""
        with self.world.lock:
            state.head(pull)
            pull.state, pull.closed_at, pull.merged = "closed", self.now(), merged

    def reopen(self, pull: PullRequest) -> None:
        """Opens a closed pull request again."""
        pull.state, pull.closed_at, pull.merged = "open", None, False

    def head(self, pull: PullRequest) -> str:
        """The commit at the head of a pull request."""
        with self.world.lock:
            return state.head(pull)

    def reply(self, comment: Comment, login: str, body: str) -> Comment:
        """A person's reply in the thread of a review comment."""
        with self.world.lock:
            author, now = self.world.person(login), self.now()
            review = Review(next(self.world.ids), comment.pull, author, "", "COMMENTED", comment.commit_id, now)
            self.world.reviews[review.id] = review
            kept = {name: getattr(comment, name) for name in Comment.__slots__}
            top = comment.in_reply_to or comment.id
            kept |= {"id": next(self.world.ids), "review": review, "author": author, "body": body, "in_reply_to": top}
            made = Comment(**{**kept, "created_at": now, "updated_at": now})
            self.world.comments[made.id] = made
            return made

    def comment_by(self, pull: PullRequest, login: str, path: str, line: int, body: str, *, side: str = "RIGHT") -> Comment:
        """A person's own comment on a line of the diff, such as one that forges a marker."""
        with self.world.lock:
            found = find(self.world, pull, state.head(pull), {"path": path, "line": line, "side": side})
        if isinstance(found, str):
            raise ValueError(found)
        author, now = self.world.person(login), self.now()
        review = Review(next(self.world.ids), pull, author, "", "COMMENTED", found.commit_id, now)
        anchor = {name: getattr(found, name) for name in type(found).__slots__}
        made = Comment(
            id=next(self.world.ids),
            pull=pull,
            review=review,
            author=author,
            body=body,
            created_at=now,
            updated_at=now,
            **anchor,
        )
        self.world.reviews[review.id], self.world.comments[made.id] = review, made
        return made

    def say(self, pull: PullRequest, login: str, body: str) -> IssueComment:
        """A person's comment in the conversation of a pull request."""
        with self.world.lock:
            now = self.now()
            made = IssueComment(next(self.world.ids), pull, self.world.person(login), body, now, now)
            self.world.talk[made.id] = made
            return made

    def resolve(self, comment: Comment, login: str | None) -> None:
        """Resolves the thread that a review comment opens, by a person; None opens it again."""
        with self.world.lock:
            comment.resolved_by = self.world.person(login) if login else None

    def delete_comment(self, comment: Comment) -> None:
        """Deletes a review comment as its author or a maintainer may."""
        with self.world.lock:
            self.world.comments.pop(comment.id, None)

    def talk(self, pull: PullRequest) -> list[IssueComment]:
        """The conversation of a pull request, oldest first."""
        return [one for one in self.world.talk.values() if one.pull is pull]

    def reactions(self, comment: Comment | IssueComment) -> list[str]:
        """The reactions to a comment, oldest first."""
        return [one.content for one in self.world.reactions if one.comment == comment.id]

    def check_runs(self, repo: Repository) -> list[CheckRun]:
        """The check runs of a repository, oldest first."""
        return [run for run in self.world.checks.values() if run.repo is repo]

    def reviews(self, repo: Repository, number: int) -> list[Review]:
        """The reviews of a pull request, oldest first, those of replies included."""
        return [one for one in self.world.reviews.values() if one.pull.repo is repo and one.pull.number == number]

    def comments(self, repo: Repository, number: int) -> list[Comment]:
        """The review comments of a pull request, oldest first."""
        return [one for one in self.world.comments.values() if one.pull.repo is repo and one.pull.number == number]

"""Handlers of reviews and review comments, with what GitHub refuses about them."""

from __future__ import annotations

from typing import Any

from bot.demo.standin import git, shapes_pull, state
from bot.demo.standin.anchors import Anchor, find, in_pull
from bot.demo.standin.answer import Answer, Call, RefusalError, invalid, not_found, paged
from bot.demo.standin.reading import pull_of
from bot.demo.standin.state import Comment, PullRequest, Review

LONGEST = 65_536
STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
TOO_LONG = "Body is too long (maximum is 65536 characters)"
PENDING_EXISTS = "User can only have one pending review per pull request"


def open_to_writing(call: Call) -> PullRequest:
    """The pull request of the address, unless its repository is archived or its conversation locked."""
    pull = pull_of(call)
    if pull.repo.archived:
        raise RefusalError(403, "Repository was archived so is read-only.")
    if pull.locked:
        raise RefusalError(403, "Unable to create comment because issue is locked.")
    return pull


def pending_of(call: Call, pull: PullRequest) -> Review | None:
    """The pending review that the asking bot left on the pull request."""
    mine = (one for one in call.world.reviews.values() if one.pull is pull and one.author is call.author)
    return next((one for one in mine if one.state == "PENDING"), None)


def create_review(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews: all of it or nothing."""
    pull = open_to_writing(call)
    given, event = call.given, call.given.get("event")
    if event is not None and event not in STATES:
        raise unprocessable(f"Variable $event of type PullRequestReviewEvent was provided invalid value {event!r}")
    body, comments = given.get("body") or "", given.get("comments") or []
    if not isinstance(body, str) or not isinstance(comments, list):
        raise RefusalError(422, "Invalid request.")
    check_length(body)
    if not body and (event == "REQUEST_CHANGES" or (event == "COMMENT" and not comments)):
        raise unprocessable(f"Body is required for {event}")
    if event in ("APPROVE", "REQUEST_CHANGES") and pull.author is call.author:
        raise unprocessable("Review Can not approve or request changes on your own pull request")
    if pending_of(call, pull) is not None:
        raise unprocessable(PENDING_EXISTS)
    commit = review_commit(call, pull)
    anchors = [review_anchor(call, pull, commit, entry) for entry in comments]
    state_name = STATES[event] if event else "PENDING"
    submitted = call.world.clock() if event else None
    review = Review(next(call.world.ids), pull, call.author, body, state_name, commit, submitted)
    call.world.reviews[review.id] = review
    for anchor, entry in zip(anchors, comments, strict=True):
        add_comment(call, review, anchor, entry["body"])
    return Answer(200, shapes_pull.review(call.world, review))


def unprocessable(words: str) -> RefusalError:
    """The form in which reviews are refused: plain strings that do not say which entry was meant."""
    return RefusalError(422, "Unprocessable Entity", [words])


def check_length(body: str) -> None:
    """422 for a body over 65,536 characters."""
    if len(body) > LONGEST:
        raise RefusalError(422, "Validation Failed", [TOO_LONG])


def review_commit(call: Call, pull: PullRequest) -> str:
    """The commit that a review speaks of: the head where none is given, else one of the pull request's."""
    commit = call.given.get("commit_id")
    if commit is None:
        return state.head(pull)
    if not isinstance(commit, str) or git.resolve(pull.repo.path, commit) != commit or not in_pull(call.world, pull, commit):
        raise unprocessable("Commit ID is not part of the pull request")
    return commit


def review_anchor(call: Call, pull: PullRequest, commit: str, entry: Any) -> Anchor:
    """The place of one comment of a review."""
    if not isinstance(entry, dict) or not isinstance(entry.get("body"), str) or not isinstance(entry.get("path"), str):
        raise RefusalError(422, "Invalid request.\n\nInvalid property /comments: `path` and `body` are required.")
    if "subject_type" in entry:
        raise RefusalError(422, 'Invalid request.\n\n"subject_type" is not a permitted key.')
    if not entry["body"].strip():
        raise unprocessable("Body can't be blank")
    check_length(entry["body"])
    found = find(call.world, pull, commit, entry)
    if isinstance(found, str):
        raise unprocessable(found)
    return found


def add_comment(call: Call, review: Review, anchor: Anchor, body: str, reply_to: Comment | None = None) -> Comment:
    """Stores a comment of a review."""
    now = call.world.clock()
    comment = Comment(
        id=next(call.world.ids),
        pull=review.pull,
        review=review,
        author=call.author,
        body=body,
        path=anchor.path,
        commit_id=anchor.commit_id,
        subject_type=anchor.subject_type,
        side=anchor.side,
        line=anchor.line,
        start_side=anchor.start_side,
        start_line=anchor.start_line,
        position=anchor.position,
        diff_hunk=anchor.diff_hunk,
        created_at=now,
        updated_at=now,
        in_reply_to=reply_to.id if reply_to else None,
    )
    call.world.comments[comment.id] = comment
    return comment


def reviews(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews: pending ones are shown to their author only."""
    pull = pull_of(call)
    mine = [one for one in call.world.reviews.values() if one.pull is pull]
    seen = [one for one in mine if one.state != "PENDING" or one.author is call.author]
    return paged(call, [shapes_pull.review(call.world, one) for one in seen])


def review_of(call: Call) -> Review:
    """The review that the address names."""
    review = call.world.reviews.get(call.number("review_id"))
    if review is None or review.pull is not pull_of(call):
        raise not_found()
    if review.state == "PENDING" and review.author is not call.author:
        raise not_found()
    return review


def delete_review(call: Call) -> Answer:
    """DELETE /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}: pending ones only."""
    review = review_of(call)
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    for comment in [one for one in call.world.comments.values() if one.review is review]:
        del call.world.comments[comment.id]
    del call.world.reviews[review.id]
    return Answer(200, shapes_pull.review(call.world, review))


def review_comments(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/comments."""
    review = review_of(call)
    mine = [one for one in call.world.comments.values() if one.review is review]
    return paged(call, [shapes_pull.comment(call.world, one) for one in mine])


def comments(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/{pull_number}/comments: oldest first, none of pending reviews."""
    pull = pull_of(call)
    seen = [one for one in call.world.comments.values() if one.pull is pull and one.review.state != "PENDING"]
    return paged(call, [shapes_pull.comment(call.world, one) for one in seen])


def create_comment(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/pulls/{pull_number}/comments: one line, range or file, or a reply by `in_reply_to`."""
    pull = open_to_writing(call)
    given = call.given
    body = required_body(call)
    if pending_of(call, pull) is not None:
        raise invalid("PullRequestReview", "user_id", "custom", PENDING_EXISTS)
    if "in_reply_to" in given:
        if not isinstance(given["in_reply_to"], int):
            raise invalid("PullRequestReviewComment", "in_reply_to")
        return _reply(call, pull, call.world.comments.get(given["in_reply_to"]), body)
    commit = given.get("commit_id")
    if not isinstance(commit, str) or not isinstance(given.get("path"), str):
        raise RefusalError(422, 'Invalid request.\n\n"commit_id" and "path" weren\'t supplied.')
    if git.resolve(pull.repo.path, commit) != commit or not in_pull(call.world, pull, commit):
        raise invalid("PullRequestReviewComment", "commit_id", "custom", "commit_id is not part of the pull request")
    found = find(call.world, pull, commit, given)
    if isinstance(found, str):
        name = "path" if found.startswith("Path") else "pull_request_review_thread.line"
        raise invalid("PullRequestReviewComment", name, "custom", found)
    review = Review(next(call.world.ids), pull, call.author, "", "COMMENTED", commit, call.world.clock())
    call.world.reviews[review.id] = review
    return _created(call, add_comment(call, review, found, body))


def required_body(call: Call) -> str:
    """The body of a comment; 422 where it is missing, blank or too long."""
    body = call.given.get("body")
    if not isinstance(body, str) or not body.strip():
        raise invalid("PullRequestReviewComment", "body", "missing_field")
    if len(body) > LONGEST:
        raise invalid("PullRequestReviewComment", "body", "custom", TOO_LONG)
    return body


def reply(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies: to comments that open a thread only."""
    pull = open_to_writing(call)
    body = required_body(call)
    if pending_of(call, pull) is not None:
        raise invalid("PullRequestReview", "user_id", "custom", PENDING_EXISTS)
    return _reply(call, pull, call.world.comments.get(call.number("comment_id")), body)


def _reply(call: Call, pull: PullRequest, top: Comment | None, body: str) -> Answer:
    if top is None or top.pull is not pull or top.review.state == "PENDING":
        raise not_found()
    if top.in_reply_to is not None:
        raise invalid("PullRequestReviewComment", "in_reply_to", "custom", "is not a top-level comment")
    review = Review(next(call.world.ids), pull, call.author, "", "COMMENTED", top.commit_id, call.world.clock())
    call.world.reviews[review.id] = review
    anchor = Anchor(
        top.path,
        top.commit_id,
        top.side,
        top.line,
        top.start_side,
        top.start_line,
        top.position,
        top.diff_hunk,
        top.subject_type,
    )
    return _created(call, add_comment(call, review, anchor, body, top))


def _created(call: Call, comment: Comment) -> Answer:
    body = shapes_pull.comment(call.world, comment)
    return Answer(201, body, {"Location": body["url"]})

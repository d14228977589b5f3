"""Logging, configured in one place: JSON lines with ids only, never a message of an exception, never a secret.

An exception's text may quote reviewed code or a token, so of an exception only the types and the places are written.
"""

import json
import logging
import re
import sys
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

SECRETS = re.compile(
    r"gh[oprsu]_[A-Za-z0-9_.\-]+"
    # A block without its end runs to the end of the JSON string: better too much than a piece of a key.
    r"|-----BEGIN [A-Z0-9 ]+-----[^\"]*?(?:-----END [A-Z0-9 ]+-----|(?=\")|\Z)"
)
DEEPEST_TRACE = 30


def configure_logs(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's records to `stream` (default: standard error)."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their everyday lines say again what the receiver and the worker already say, with ids; the last one's hold what is sent.
    for name in ("procrastinate", "uvicorn", "sse_starlette"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def describe_exception(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the chain of exception types and the places they passed."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    if error is True:
        error = sys.exc_info()[1]
    if not isinstance(error, BaseException):
        return event
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < DEEPEST_TRACE:
        chain.append(type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    event["error"] = " <- ".join(chain)
    event["where"] = _places(error.__traceback__)
    return event


def _places(trace: TracebackType | None) -> list[str]:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-DEEPEST_TRACE:]


def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """One JSON line without GitHub tokens and keys; redacted when it is already text, so that no field escapes."""
    return SECRETS.sub("[redacted]", json.dumps(event, default=str))

"""What sets a language apart, as its front end says it: a rule asks what holds here, never which language it reads."""

from dataclasses import dataclass
from enum import StrEnum


class Truth(StrEnum):
    """What may be tested for truth."""

    BOOLEANS = "booleans"
    """Only what is true or false: no number is ever a condition."""
    PRESENCE = "presence"
    """Anything, and all but nothing and false is true, 0 included."""
    VALUES = "values"
    """Anything, and 0 is false."""


class Dates(StrEnum):
    """The dates a language brings along."""

    EPOCH = "epoch"
    """`new Date(year, month, day)`: milliseconds since 1970, local time, months from 0."""
    NAIVE = "naive"
    """`datetime.now().replace(day=1)`: without a zone unless one is given."""
    CLR = "clr"
    """`new DateTime(year, month, 1)`."""
    JAVA_TIME = "java.time"
    """`LocalDate.now().withDayOfMonth(1)`."""
    LOCATED = "located"
    """`time.Date(year, month, 1, 0, 0, 0, 0, location)`."""
    CHRONO = "chrono"
    """`Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0)`."""
    FLUENT = "fluent"
    """`Time.current.beginning_of_month`, `$date->endOfDay()`."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How code behaves. What is not said is not so."""

    truth: Truth = Truth.VALUES
    dates: Dates | None = None
    months_run_over: bool = False
    """A month after January 31 is in March."""
    enums_by_cast: bool = False
    """A model says in a list of casts which attributes are enums, and an enum equals no string."""
    promises: bool = False
    """What takes time answers a promise at once, and other work runs only while something is awaited."""
    synchronous: bool = False
    """A call has always ended before what follows it, its callbacks included."""
    lazy_coroutines: bool = False
    """A coroutine that nobody awaits never runs."""
    parallel: bool = False
    """What is started beside runs at the same moment, and writes of two to one variable are lost."""
    errors_returned: bool = False
    """A call answers its error beside its result, and nothing makes the caller look at it."""
    checked_exceptions: bool = False
    """What a function throws has to be declared."""
    in_browsers: bool = False
    float_types: frozenset[str] = frozenset()
    """Binary floats, where a value is one only because its declared type says so."""
    binary_decimals: frozenset[str] = frozenset()
    """Folded names of decimal types that take over the binary digits of a float they are made of."""
    single_floats: frozenset[str] = frozenset()
    """Folded calls that cut a number to a float of 32 bits, besides those that name its width."""
    rounded_moments: bool = False
    """A point in time that is made of a float is rounded to microseconds: what was written comes out."""
    local_moments: frozenset[str] = frozenset()
    """Types of points in time whose plain text is in the form and zone of the machine's settings."""
    takes_day: frozenset[str] = frozenset()
    """Folded methods that ask a point in time for its day and are told no zone."""
    zoned_types: frozenset[str] = frozenset()
    """Types of points in time that carry the zone they were stored in, where only the declared type tells them from dates."""
    dates_apart: bool = False
    """What is asked for its day by those methods is a point in time, since a date has no such method."""
    returns_leave_blocks: bool = False
    """A `return` in a block ends the function around it, and what the block's end would have done is skipped."""
    plain_records: bool = False
    """A record is a plain structure: it has no method that saves it."""
    inexact_products: bool = False
    """A product with a fraction is a binary float, whatever the factors were read from."""
    exact_products: bool = False
    """A product that is converted to a whole number may well be exact: decimals multiply, or integers convert alike."""
    never_null: frozenset[str] = frozenset()
    """Declared types of numbers that cannot hold null, where others can."""
    appending: frozenset[str] = frozenset()
    """Folded methods that add to a container and do not answer it."""
    appending_answers: str = ""
    """What they answer instead."""
    copying: frozenset[str] = frozenset()
    """Folded methods that answer a longer list and change nothing."""
    hidden_unless_exported: bool = False
    """What is not marked as exported cannot be called from elsewhere."""
    private_prefix: str = ""
    """What the names of things begin with that nobody else shall call."""
    signals_waited_for: bool = False
    """A signal arrives where a function waits for it, and not in a callback."""
    patient_requests: frozenset[str] = frozenset()
    """Folded calls for HTTP, or packages of such, that wait for ever unless they are given a time-out."""
    builders: bool = False
    """Objects are made empty and filled by setters, or made by the chain of a builder."""
    out_parameters: bool = False
    """Decoders fill a variable that they are given."""
    internal_folders: bool = False
    """A folder called `internal` only keeps others from importing what lies in it, whoever may call it over the network."""
    locks_by_guard: bool = False
    """A lock is held as long as the guard that taking it gives."""
    packages_are_folders: bool = False
    """The files of a folder are one package and need no import to call each other."""
    receiver_first: bool = False
    """A method names its own object as its first parameter, by any name."""
    outer_names_declared: bool = False
    """A function that sets a variable of an outer scope has to declare it."""
    bare_members: bool = False
    """A name that nothing was assigned to is a method or field of the object itself."""
    request_names: frozenset[str] = frozenset()
    """Folded names a request goes by besides the usual ones."""
    request_first: bool = False
    """By custom, a function whose first parameter is called `request` answers one."""
    extractors: bool = False
    """What answers a request has no mark of its own: the types of its parameters take the request apart."""
    actions_by_result: bool = False
    """Which methods of a controller answer requests is told by the types of their results."""
    console_commands: bool = False
    """A class called a command is started from the console, mostly by the schedule."""
    body_types: str = ""
    """A pattern for the types of parameters that frameworks fill from a request's body."""
    injected_types: str = ""
    """A pattern for types of parameters that they fill from elsewhere."""
    typed_bodies: bool = False
    """Frameworks fill parameters of a request handler from the request's body."""
    bounds_on_types: bool = False
    """What a field of such a body may hold is declared with the body's type."""
    statements_only: bool = False
    """The file is a list of statements for a database, with no program around them."""

"""What Ruby's syntax does not say of a method: whether it reads a field, runs its block for each element, or just once."""

ITERATORS = frozenset(
    "each each_with_index each_with_object each_slice each_cons each_pair each_key each_value each_entry each_line "
    "each_char each_index reverse_each find_each find_in_batches in_batches in_groups_of cycle times upto downto step "
    "loop each_batch each_record each_page auto_paging_each each_row delete_if keep_if".split()
)
"""They run their block once for each element, for its effect."""
MAPPERS = frozenset("map map! collect flat_map filter_map collect_concat pluck_each parallel_map".split())
"""Their value is the list of what the block gives."""
SELECTORS = frozenset(
    "select filter reject sum count any? all? none? one? find detect find_index index group_by index_by partition sort_by "
    "min_by max_by minmax_by reduce inject uniq to_h index_with tally_by transform_values transform_keys take_while "
    "drop_while find_all sum_of chunk_while slice_when zip each_entry sort min max".split()
)
"""Their value is made of what the block gives for each element."""
ONCE = frozenset(
    "transaction with_lock synchronize lock lock! timeout with with_connection uncached use_zone tap then yield_self open "
    "benchmark measure realtime instrument multi pipelined unscoped suppress silence requires_new on_replica connected_to "
    "span in_span trace travel_to freeze_time no_touching with_options set_context no_timeout catch".split()
)
"""They run their block here and once: what it does is done in the function that wrote it."""
REOPENS = frozenset("included class_methods prepended class_eval module_eval instance_eval extended class_exec".split())
"""Their block is more of the class."""
MACROS = frozenset(
    "sidekiq_options unique unique_job retry_on discard_on queue_as limits_concurrency good_job_control_concurrency_with "
    "sidekiq_throttle sidekiq_retry_in around_perform before_perform after_perform queue_with_priority "
    "restrict_concurrency sidekiq_retries_exhausted concurrency throttle".split()
)
"""Calls in the body of a class that say how all of it is run, as a decorator does elsewhere."""
FILTERS = frozenset("before_action prepend_before_action before_filter".split())
MIXINS = frozenset("include extend prepend".split())
OF_ROWS = frozenset(
    "save save! update update! update_columns update_column update_attribute update_attributes increment! decrement! reload "
    "lock! with_lock touch destroy destroy! toggle!".split()
)
"""What ActiveRecord gives each row."""
LEAVES = frozenset("halt".split())
"""Calls after which the function is over: Sinatra's and Rack's."""
UNANSWERED = frozenset("perform initialize consume process call_later work on_message each_event action!".split())
"""Methods whose value nobody takes: the last call in them is made for its effect."""
CONSTRUCTORS = frozenset({"new"})
VERBS = frozenset(
    "abort accept activate add apply archive assign authenticate authorize backfill bill broadcast build bump cancel "
    "capture charge check clear close collect commit complete compute consume create deactivate debit decrement deduct "
    "deliver delete destroy dispatch drain emit enforce enqueue ensure execute expire export fail fetch finalize find "
    "finish flush generate get import increment ingest insert invalidate invoice load lock log make mark notify perform "
    "persist pop process publish pull purge push queue read rebuild recalculate recompute reconcile record refresh refund "
    "release reload remove report request require reserve reset restore retrieve retry rollback rollover run save "
    "schedule send serialize settle shift shutdown start stop store submit subscribe sum sync terminate touch track "
    "unlock update upsert validate verify void withdraw write".split()
)
"""First words of a method's name that do something; without arguments and otherwise it reads a field."""
CALLED = frozenset(
    "now today current first last all count minimum maximum average uuid hex to_i to_f to_s to_d to_sym to_h to_a to_json "
    "to_date to_time to_datetime to_r to_c as_json round floor ceil abs truncate utc iso8601 xmlschema rfc3339 succ next "
    "pred ago from_now squish strip chomp upcase downcase sort uniq reverse compact flatten shuffle sample join values "
    "keys entries rand new call dup clone freeze tap exec multi hash digest hexdigest ids pluck exists none take sole "
    "beginning_of_day beginning_of_week beginning_of_month beginning_of_quarter beginning_of_year beginning_of_hour "
    "end_of_day end_of_week end_of_month end_of_quarter end_of_year end_of_hour next_month prev_month next_day prev_day "
    "next_year tomorrow yesterday midnight at_midnight at_beginning_of_month at_end_of_month lines bytes chars parse "
    "transaction begin raise gets scalar deliver_later deliver_now permit to_unsafe_h localtime getlocal getutc gmtime "
    "value! wait! result! await".split()
)
"""Reads without arguments that compute something, and so are calls in any language."""
CONVERSIONS = {
    "to_i": "int",
    "to_f": "float",
    "to_d": "Decimal",
    "to_s": "str",
    "to_sym": "str",
    "round": "round",
    "floor": "floor",
    "ceil": "ceil",
    "truncate": "trunc",
    "abs": "abs",
    "clamp": "clamp",
    "max": "max",
    "min": "min",
}
"""What other languages write as a function of the value."""
CLOCKED = frozenset("Time Date DateTime Process".split())
DURATIONS = frozenset(
    "second seconds minute minutes hour hours day days week weeks fortnight fortnights month months year years".split()
)
FIELDS = (
    "_at", "_on", "_id", "_ids", "_date", "_time", "_day", "_days", "_count", "_name", "_type", "_key", "_period",
    "_status", "_end", "_url", "_number", "_amount", "_cents", "_limit", "_level", "_code", "_class", "_params", "_options",
    "_size", "_units", "_usage", "_total", "_value", "_token", "_interval", "_reason", "_price", "_item", "_items",
    "_events", "_data", "_method",
)  # fmt: skip
"""Endings of a name that is a field whatever its first word is: `reset_at`, `charge_id`, `cancel_at_period_end`."""
NOUNS = frozenset(
    "bill charge invoice request record report log queue store process export import schedule track check load refund "
    "release start stop finish void reset submit mark update import pull push run sync touch work capture commit debit "
    "notify".split()
)
"""First words that alone are a thing as often as a deed: `fee.charge`, `subscription.invoice`."""


def is_called(name: str, on_constant: bool) -> bool:
    """Whether `receiver.name`, without arguments and where its value is used, is a call rather than a field."""
    if name == "current":
        return on_constant
    if name in CALLED:
        return True
    return name.partition("_")[0] in VERBS and not name.endswith(FIELDS) and name not in NOUNS

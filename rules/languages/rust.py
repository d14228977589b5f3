"""Rust source lowered to facts; how the parts come together."""

import tree_sitter_rust
from tree_sitter import Language, Query, QueryCursor

from rules.facts import Facts
from rules.languages import rust_macros
from rules.languages.lowering import DEPTH, begin
from rules.languages.rust_flow import FLOW, STEPS
from rules.languages.rust_items import CLOSURES, ITEMS, LEFT_OUT, items, skipped
from rules.languages.rust_syntax import EXPRESSIONS, STATEMENTS
from rules.languages.rust_traits import IDIOMS, TRAITS
from rules.languages.rust_values import VALUES

SUFFIXES = (".rs",)
GRAMMAR = Language(tree_sitter_rust.language())
REMARKS = Query(GRAMMAR, "[(line_comment) (block_comment)] @comment")
rust_macros.LANGUAGE[:] = [GRAMMAR]


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "rust", source, GRAMMAR, TRAITS, IDIOMS)
    items(low, root, low.root)
    cursor = QueryCursor(REMARKS)
    cursor.set_max_start_depth(2 * DEPTH)
    for node in sorted(cursor.captures(root).get("comment", []), key=lambda one: one.start_byte):
        low.comment(node)
    return low.facts()


STATEMENTS.update(dict.fromkeys(LEFT_OUT, skipped) | ITEMS | STEPS)
EXPRESSIONS.update(VALUES | FLOW | CLOSURES)

"""What sets Java apart."""

from dataclasses import replace

from rules.languages import jvm_traits

TRAITS = replace(
    jvm_traits.TRAITS,
    checked_exceptions=True,
    float_types=frozenset({"double", "float", "Double", "Float"}),
    single_floats=frozenset({"float", "floatvalue"}),
)
IDIOMS = replace(jvm_traits.IDIOMS, refusal="`if (response.statusCode() >= 300) throw …`")

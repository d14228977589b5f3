"""What sets Kotlin apart."""

from dataclasses import replace

from rules.languages import jvm_traits

TRAITS = replace(jvm_traits.TRAITS, float_types=frozenset({"Double", "Float"}), single_floats=frozenset({"tofloat"}))
IDIOMS = replace(
    jvm_traits.IDIOMS,
    title="Kotlin",
    float="Double",
    throw_again="throw {0}",
    null_test="`!= null`, `?:`",
    refusal="`if (!response.status.isSuccess()) throw …`, or `expectSuccess = true` of the client",
    within_text="$",
)

"""What code means: from facts to usage, repeats, times and limits; what every rule is written in."""

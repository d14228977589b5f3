"""Points and stretches of time, periods and their bounds."""

"""What keeps one use from being booked twice, and what loses it."""

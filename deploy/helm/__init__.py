"""The chart, and what is made of it."""

"""Load against a running server: who asks for what and how often, and what came of it."""

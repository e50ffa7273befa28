"""What others need to test what they write for this platform."""

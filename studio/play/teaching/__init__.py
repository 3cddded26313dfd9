"""From a reply to training data: ratings, and corrections that wait for review."""

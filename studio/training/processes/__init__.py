"""One run in several processes, on this machine or more: who leads, who follows, and what they agree on."""

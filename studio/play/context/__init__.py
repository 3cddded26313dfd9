"""What of a conversation its model still sees: hidden turns, and what it is told of them."""

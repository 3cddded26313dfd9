"""A turn of play: what the model is given, what it asks for, and what the studio rolls and answers."""

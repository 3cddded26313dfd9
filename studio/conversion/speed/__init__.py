"""How fast a file that nobody has made yet will write on this machine."""

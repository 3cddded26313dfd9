"""How each model does at the table, and when the studio goes on with another one."""

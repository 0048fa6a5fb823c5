"""How fast zoo is and how much memory it takes, beside the tool a user would take otherwise."""

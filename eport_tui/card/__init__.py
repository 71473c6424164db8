"""Cards: what they are, how they are read, whom they prove, and the guard over a session."""

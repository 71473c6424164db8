"""What the application does beside its screens: one concern a module."""

"""Keyboard-driven terminal for delegated authorization (委托授权) between enterprises."""

__version__ = "0.1.0"

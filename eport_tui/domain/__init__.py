"""The rules of delegated authorization: pure Python, no input or output."""

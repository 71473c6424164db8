"""What an operator does: one function for each, and the only callers of the store's writes.

The right to change data is decided here, from the card session that is passed in.
"""

"""What an operator sees and does, through Textual's pilot."""

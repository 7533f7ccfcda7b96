"""What Compare shows, without widgets: which models, what they make of the same input, figures, quiz, report."""

"""Speed and accuracy, side by side with what users would pick instead; and the demonstration."""

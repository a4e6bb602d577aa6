"""Training: encoders on dense labels first, then all parts at once on conversations. Imports the model, never the reverse."""

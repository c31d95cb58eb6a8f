// Evaluation: to be filled.

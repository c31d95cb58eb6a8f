// Acuity: to be filled.

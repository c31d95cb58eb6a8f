// Imaging: to be filled.

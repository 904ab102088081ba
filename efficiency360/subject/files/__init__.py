"""What a model file is and what it is made of, decided without torch and without running anything in it."""

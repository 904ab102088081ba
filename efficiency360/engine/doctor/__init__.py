"""`e360 doctor`: what this machine can measure, as facts and as lines that say what follows from them."""

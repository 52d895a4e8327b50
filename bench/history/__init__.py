"""Many runs over time: folders → points → series of comparable runs → change points → table, plot, page."""

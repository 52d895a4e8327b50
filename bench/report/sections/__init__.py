"""The report's sections: from a run's findings to words, tables and pictures, independent of the format."""

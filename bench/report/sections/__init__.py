"""The report's sections: from what is said of a run to words, tables and pictures, in no form yet."""

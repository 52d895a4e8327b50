"""The pipelines that come with the harness. They import `bench`, never the other way round."""

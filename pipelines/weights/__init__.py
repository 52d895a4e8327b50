"""The trained weights that come with this project: packed once, exported to the published layouts at first use."""

"""What speaks to servers: transports, protocols, and pipelines that are an assistant elsewhere."""

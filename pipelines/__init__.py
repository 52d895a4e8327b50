"""The pipelines that come with the harness. They import `firstpacket.bench`, never the other way round."""

if __name__ == "pipelines":
    raise ImportError("In a checkout of firstpacket this folder is imported as firstpacket.pipelines.")

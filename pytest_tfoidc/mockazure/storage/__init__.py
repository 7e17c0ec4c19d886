"""The services of storage accounts beside blobs: queues, tables, file shares, Data Lake."""

"""Files: reading what is to be scored or learned from, writing what was scored."""

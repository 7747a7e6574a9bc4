"""Reading and writing files: texts and tables, one module a file format."""

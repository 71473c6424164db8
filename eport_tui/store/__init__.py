"""The database: the only package that knows Peewee and SQLite."""

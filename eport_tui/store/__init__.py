"""The database: the only package that knows Peewee, SQLite and PostgreSQL."""

"""The ground floor that every app stands on, and the roof that puts them together.

Owns StaffAction and TaskFailure. Which module is floor and which is roof stands in pyproject.toml (import-linter).
"""

"""Who may do what: organisations, their people, keys, projects and workloads, and what their plan allows.

Owns Organization, Membership, Project, Workload, ApiKey, Entitlement, Job and IdempotentAnswer. Invariants: every
tenant query names its organisation and the database checks it again (`tenancy.py`); each project has exactly one
catch-all workload; a key is stored as a hash only; what a plan allows is written by billing and read from here.
"""

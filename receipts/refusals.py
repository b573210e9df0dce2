"""Why a document does not count as a receipt: a class for each reason.

The name of a class, in lower case with underscores, is the stable word that programs read (`bad_signature`); the first
line of its docstring is the sentence for people, its message the detail. They stand in the order in which they are looked for.
"""

from carbon_site.problems import Problem

VALID = "valid"


class Refusal(Problem):
    """The document is not a valid receipt."""

    @classmethod
    def reason(cls) -> str:
        return cls.slug().replace("-", "_")


class NotJson(Refusal):
    """The document cannot be read as JSON."""


class DuplicateKey(Refusal):
    """An object in the document has one of its members twice, so that two readers may see two documents."""


class Profile(Refusal):
    """The document is not written in the form that receipts have."""


class UnknownKey(Refusal):
    """The document names a key that is not among the known ones."""


class WrongIssuer(Refusal):
    """The document names another issuer than the owner of the key that signed it."""


class BadSignature(Refusal):
    """The document is not what was signed."""


class KeyCompromised(Refusal):
    """The key that signed this is no longer trusted, and the log does not show that the receipt is older than that."""


class NotInLog(Refusal):
    """There is no proof that the receipt stands in the log."""


class BadProof(Refusal):
    """What was handed in to prove something about the receipt does not prove it."""


class UnknownHere(Refusal):
    """The receipt is signed by us and is not in our records: please report it."""


class Withdrawn(Refusal):
    """The issuer has withdrawn the receipt."""


class Superseded(Refusal):
    """A later receipt takes the place of this one."""

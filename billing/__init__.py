"""Plans, periods and money: a month is frozen once, and what is frozen is billed."""
